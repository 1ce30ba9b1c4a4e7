"""From what a person drew in the scene to the project's label values, asking where the two do not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.schema_changes import with_segments
from MedSSLLib.segmentations import SegmentationSnapshot, SegmentState, match_segments

if TYPE_CHECKING:
    from medssl.client import Project

    from MedSSLLib.session import Session


def find_values(
    session: Session,
    project: Project,
    snapshot: SegmentationSnapshot,
    then: Callable[[Mapping[str, int], Project], Any],
    otherwise: Callable[[], Any],
) -> None:
    """Find the label value of each segment; segments that the project lacks are added to it or left out.

    Args:
        session: with the engine.
        project: that the drawing is for.
        snapshot: what was drawn.
        then: gets the values by segment ids, and the project that has them.
        otherwise: called instead when the person does not want to go on, or when the project does not get the
            segments, which is told.
    """
    values, unknown = match_segments(snapshot.segments, project)
    drawn = tuple(each for each in unknown if each.layer >= 0)
    if not drawn:
        then(values, project)
        return
    names = ", ".join(f"'{each.name}'" for each in drawn)
    answer = asking.choose(
        _("Segments the project does not know"),
        _("The project '{project}' has no segment {names}.").format(project=project.name, names=names),
        (_("Add to the project"), _("Save without"), _("Cancel")),
        while_testing=0,
        losing=1,
    )
    if answer == 0:
        _add(
            session,
            project,
            drawn,
            lambda changed: find_values(session, changed, snapshot, then, otherwise),
            otherwise,
        )
    elif answer == 1:
        then(values, project)
    else:
        otherwise()


def may_be_empty(name: str) -> bool:
    """Ask whether a scan with nothing drawn on it really shows none of the segments."""
    answer = asking.choose(
        _("Nothing is drawn"),
        _("Nothing is drawn on {name}. Does it really show none of the segments?").format(name=name),
        (_("It shows none: save"), _("Cancel")),
        while_testing=1,
    )
    return answer == 0


def _add(
    session: Session,
    project: Project,
    segments: tuple[SegmentState, ...],
    then: Callable[[Project], Any],
    otherwise: Callable[[], Any],
) -> None:
    def added(answer: Project) -> None:
        if session.is_open(answer.key):
            session.set_project(answer)
        then(answer)

    def failed(error: Exception) -> None:
        session.report(error)
        otherwise()

    session.ask(lambda client: with_segments(client, project, segments), added, failed)
