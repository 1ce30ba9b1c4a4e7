"""What became of a case elsewhere, in another Slicer or on the command line, while it is worked on here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Optional, TypeVar

from slicer.i18n import tr as _

from MedSSLLib import asking, backend
from MedSSLLib.problems import Problem

if TYPE_CHECKING:
    from medssl.client import Case, Client, Segment

T = TypeVar("T")


class Overtaken(Problem):
    """A case was decided on or annotated elsewhere since it was seen here; nothing of this was saved.

    Attributes:
        version: of the annotation that counts now, 0 for none.
    """

    def __init__(self, news: str, case: Case) -> None:
        super().__init__(news, _("Nothing was saved over it."))
        self.version = version_of(case)

    def ask(self, *otherwise: str) -> int:
        """Ask whether what is drawn here is to be a further version, which then counts.

        Args:
            otherwise: what else can be answered; the last is what nobody's click means, and one before it
                loses what is drawn.

        Returns:
            0 for a further version, else the place of the other answer, from 1.
        """
        text = _("{news} Save what you drew as a further version? It counts then, and the other one is kept.")
        answers = (_("Save as further version"), *otherwise)
        question = text.format(news=self.message)
        return asking.choose(
            _("Changed in the meantime"),
            question,
            answers,
            while_testing=len(otherwise),
            losing=1 if len(otherwise) > 1 else None,
        )


def version_of(case: Case) -> int:
    """The version of the annotation that counts, 0 for none."""
    return 0 if case.annotation is None else case.annotation.version


def news_of(case: Case, version: int, proposal: Optional[int]) -> str:
    """Say what happened to a case since it was seen; '' for nothing that matters.

    Args:
        case: as it is now.
        version: of the annotation that counted then, 0 for none.
        proposal: that waited for a decision then; None when it does not matter.
    """
    annotation = case.annotation
    if annotation is None:
        if version:
            return str(_("The annotation of {name} was taken back in the meantime.").format(name=case.name))
        seen = case.pseudo_label is not None and case.pseudo_label.id == proposal
        if seen and case.state == "rejected":
            text = _("The proposal for {name} was rejected in the meantime.")
            return str(text.format(name=case.name))
        return ""
    if annotation.version == version:
        return ""
    how = {"accepted": _("accepted"), "corrected": _("corrected")}.get(annotation.kind, _("annotated"))
    by = _(" by {author}").format(author=annotation.author) if annotation.author else ""
    return str(
        _("{name} was {how}{by} in the meantime: version {version} counts now.").format(
            name=case.name, how=how, by=by, version=annotation.version
        )
    )


def unless_overtaken(
    client: Client, project: str, case: int, version: int, proposal: Optional[int], act: Callable[[], T]
) -> T:
    """Do what changes a case; for a thread beside the main one.

    Raises:
        Overtaken: the engine refused it, and what happened to the case meanwhile is why.
        EngineError: it refused it for another reason.
    """
    try:
        return act()
    except backend.client_package().EngineError as error:
        now = client.case(project, case)
        news = news_of(now, version, proposal)
        if not news:
            raise
        raise Overtaken(news, now) from error


def renamed(before: Mapping[int, str], now: Sequence[Segment]) -> str:
    """Say which segment has another name in the project now, or is gone; '' for none.

    Args:
        before: names by values.
        now: the segments of the project.
    """
    names = {each.value: each.name for each in now}
    taken = {name.strip().casefold() for name in names.values()}
    for value, name in before.items():
        if name.strip().casefold() in taken:
            continue
        if value in names:
            text = _("The segment '{name}' is called '{now}' in the project by now.")
            return str(text.format(name=name, now=names[value]))
        return str(_("The segment '{name}' is not in the project's label schema any more.").format(name=name))
    return ""
