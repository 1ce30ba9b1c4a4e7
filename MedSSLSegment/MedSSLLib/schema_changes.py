"""Changing the segments of a project, which others may change at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from MedSSLLib import backend
from MedSSLLib.problems import Problem
from MedSSLLib.schema_logic import drafts_of, schema_of, with_scene_segments
from MedSSLLib.segmentations import SegmentState, match_segments

if TYPE_CHECKING:
    from medssl.client import Client, Project


class SchemaOvertaken(Problem):
    """The segments were changed elsewhere since they were seen here; nothing took their place.

    Attributes:
        project: as it is now.
    """

    def __init__(self, project: Project) -> None:
        names = ", ".join(f"'{each.name}'" for each in project.segments)
        text = _("The segments of '{project}' were changed elsewhere in the meantime; they are {names} now.")
        super().__init__(
            text.format(project=project.name, names=names),
            _("Nothing was saved over them. Press 'Cancel', then 'Segments...' to see and change them."),
        )
        self.project = project


def change_schema(client: Client, seen: Project, schema: Mapping[str, Any]) -> Project:
    """Replace the label schema of a project that is as it was seen; for a thread beside the main one.

    Raises:
        SchemaOvertaken: it is another by now.
        EngineError: the engine refused it for another reason.
    """
    try:
        return client.set_schema(seen.key, schema, seen=seen)
    except backend.client_package().EngineError as error:
        now = client.project(seen.key)
        if now.label_schema == seen.label_schema:
            raise
        raise SchemaOvertaken(now) from error


def with_segments(client: Client, project: Project, segments: Sequence[SegmentState]) -> Project:
    """Add the segments that a project lacks, to those that it has by now; for a thread beside the main one.

    Raises:
        Problem, EngineError: it cannot have them.
    """
    while True:
        _values, missing = match_segments(segments, project)
        if not missing:
            return project
        wanted = with_scene_segments(drafts_of(project.segments), missing)
        try:
            return change_schema(client, project, schema_of(wanted, project.mirror_axes))
        except SchemaOvertaken as overtaken:
            project = overtaken.project
