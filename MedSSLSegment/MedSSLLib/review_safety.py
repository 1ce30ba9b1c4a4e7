"""Corrections whose case is no longer on the screen: sent to the engine, and kept until it has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from MedSSLLib import review_saving
from MedSSLLib.review_saving import Verdict

if TYPE_CHECKING:
    from medssl.client import Project

    from MedSSLLib.session import Session


class Safety:
    """Sends a correction; while the engine is away, it waits in memory for it to come back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[tuple[Project, Verdict]] = []
        session.engine_changed.connect(self._again)

    def save(self, project: Project, verdict: Verdict) -> None:
        """Save a correction now or, when that fails, as soon as there is an engine again."""
        files, name = self._session.files, verdict.case.name

        def saved(_annotation: Any) -> None:
            self._session.say(_("The correction of {name} was saved.").format(name=name))
            self._session.cases_changed.emit()

        self._session.ask(
            lambda client: review_saving.send(client, files, project, verdict),
            saved,
            self._keep(project, verdict),
        )

    def _keep(self, project: Project, verdict: Verdict) -> Callable[[Exception], None]:
        def keep(error: Exception) -> None:
            self._waiting.append((project, verdict))
            self._session.report(error)
            name = verdict.case.name
            self._session.say(
                _("The correction of {name} is not saved yet.").format(name=name),
                _("It is kept until the engine answers again; do not close 3D Slicer."),
                "warning",
            )

        return keep

    def _again(self) -> None:
        if self._session.client is None:
            return
        waiting, self._waiting = self._waiting, []
        for project, verdict in waiting:
            self.save(project, verdict)
