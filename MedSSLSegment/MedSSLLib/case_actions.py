"""What can be done with cases of the table: another role, an older annotation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from MedSSLLib.case_table import role_words
from MedSSLLib.drawings import author_name
from MedSSLLib.plurals import plural
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Annotation, CaseSummary, Client

    from MedSSLLib.session import Session


class CaseActions:
    """The table is asked anew when one of them is done.

    Attributes:
        busy: whether the role of cases is being changed: a second change would overtake the first.
        changed: `busy` did.
    """

    def __init__(self, session: Session) -> None:
        self.busy = False
        self.changed = Signal()
        self._session = session

    def work_on(self, case: CaseSummary) -> None:
        """Open a case in the section that fits its state."""
        self._session.case_asked.emit(case)

    def set_role(self, cases: Sequence[CaseSummary], role: str) -> None:
        """Use cases for training or validation, or exclude them."""
        project = self._session.project
        others = [case.id for case in cases if case.role != role]
        if project is None or self.busy or not others:
            return
        told = plural(
            len(others), _("1 scan is set to '{use}'."), _("{count} scans are set to '{use}'.")
        ).format(count=len(others), use=role_words(role))

        def work(client: Client) -> None:
            for case in others:
                client.set_role(project.key, case, role)

        def over() -> None:
            self._set_busy(False)
            self._session.cases_changed.emit()  # after an error too: some may be changed

        def done(_none: None) -> None:
            self._session.say(told)
            over()

        def failed(error: Exception) -> None:
            self._session.report(error)
            over()

        self._set_busy(True)
        if len(others) > 1:  # of thousands, it takes a minute
            self._session.say(_("Setting the use of {count} scans...").format(count=len(others)))
        self._session.ask(work, done, failed)

    def versions(
        self, project: str, case: CaseSummary, done: Callable[[tuple[Annotation, ...]], Any]
    ) -> None:
        """List the versions of a case's annotation, the oldest first.

        Args:
            project: key of the case's project.
            case: the case.
            done: gets them; not called when another project was opened meanwhile.
        """

        def come(versions: tuple[Annotation, ...]) -> None:
            if self._session.is_open(project):
                done(versions)

        self._session.ask(lambda client: client.annotations(project, case.id), come)

    def restore(self, project: str, case: CaseSummary, version: int) -> None:
        """Let an older version of a case of the project with this key count again."""

        def restored(annotation: Annotation) -> None:
            self._session.say(
                _("Version {old} of '{case}' counts again, as version {new}.").format(
                    old=version, case=case.name, new=annotation.version
                )
            )
            self._session.cases_changed.emit()

        author = author_name()
        self._session.ask(
            lambda client: client.restore_annotation(project, case.id, version, author=author), restored
        )

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self.changed.emit()
