"""What a person drew on a case, on its way to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional

import numpy as np
from slicer.i18n import tr as _

from MedSSLLib import backend
from MedSSLLib.grids import Grid
from MedSSLLib.problems import Problem
from MedSSLLib.review_queue import WAITS
from MedSSLLib.schema_logic import drafts_of, schema_of, with_scene_segments
from MedSSLLib.segmentations import (
    UNANNOTATED,
    SegmentationSnapshot,
    SegmentState,
    labels_of,
    match_segments,
    read_labels,
)
from MedSSLLib.slice_marks import SliceMarks
from MedSSLLib.voxel_files import voxels_of, write_nrrd

if TYPE_CHECKING:
    from pathlib import Path

    from medssl.client import Annotation, Case, Client, Project

    from MedSSLLib.engine_files import EngineFiles

_FILE = "drawing.nrrd"
_LARGEST_VALUE = UNANNOTATED - 1


@dataclass(frozen=True)
class NewSegment:
    """A segment that the project did not have when it was drawn; `value` stands for it in the drawing."""

    name: str
    value: int
    color: tuple[int, int, int]
    terminology: str


@dataclass(frozen=True)
class DrawingFacts:
    """What must be known of a drawing besides its voxels.

    Attributes:
        project: key of the project.
        case: id of the case.
        name: of the case.
        proposal: id of the proposal that was corrected; None for one that was drawn from nothing.
        author: who drew it.
        seconds: that it took.
        new_segments: what the project's schema must get first.
    """

    project: str
    case: int
    name: str
    proposal: Optional[int]
    author: str
    seconds: float
    new_segments: tuple[NewSegment, ...] = ()


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing as it was at one moment.

    Attributes:
        facts: about it.
        drawn: the segments.
        values: label values by segment ids.
        marks: which slices are done; None when all of them are.
    """

    facts: DrawingFacts
    drawn: SegmentationSnapshot
    values: Mapping[str, int]
    marks: Optional[SliceMarks] = None

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return self.drawn.grid

    def labels(self) -> Optional[np.ndarray]:
        """Draw the label map; for a thread beside the main one.

        With slices to be marked and none that is, the drawn ones count as done.

        Returns:
            uint8 (k, j, i); None when nothing is drawn and nobody said that the slices are done.
        """
        labels = labels_of(self.drawn, self.values)
        if self.marks is None:
            return labels
        marks = self.marks.copy()
        if marks.partly and not marks.done:
            marks.mark_drawn(labels)  # rather these than nothing
            if not marks.done:
                return None
        unannotated = marks.unannotated()
        if unannotated is not None:
            np.copyto(labels, np.uint8(UNANNOTATED), where=unannotated & (labels == 0))
        return labels


def author_name() -> str:
    """Who works here, as the computer knows it."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, or no such module: it differs by system
        return ""


def facts_of(project: Project, case: Case, seconds: float, proposal: Optional[int] = None) -> DrawingFacts:
    """Write down what a drawing is of."""
    return DrawingFacts(project.key, case.id, case.name, proposal, author_name(), seconds)


def with_known_segments(drawing: Drawing, project: Project) -> Drawing:
    """Give the segments their values in the project.

    Raises:
        Problem: the project lacks one on which something is drawn; the sentence names it.
    """
    values, unknown = match_segments(drawing.drawn.segments, project.segments)
    for each in unknown:
        if each.layer >= 0:
            raise Problem(
                _("The segment '{name}' is not in the project's label schema.").format(name=each.name),
                _("Add it in the section Project, or delete the segment; nothing was saved yet."),
            )
    return replace(drawing, values=values)


def with_new_segments(drawing: Drawing, project: Project) -> Drawing:
    """Give the segments that the project lacks values of their own, so that they are kept as well."""
    values, unknown = match_segments(drawing.drawn.segments, project.segments)
    drawn = [each for each in unknown if each.layer >= 0]
    taken = {each.value for each in project.segments}
    free = (value for value in range(_LARGEST_VALUE, 0, -1) if value not in taken)
    new = dict(zip((each.id for each in drawn), free))
    listed = tuple(NewSegment(each.name, new[each.id], each.color, each.terminology) for each in drawn)
    every = {**values, **new}
    return replace(drawing, facts=replace(drawing.facts, new_segments=listed), values=every)


def send(client: Client, files: EngineFiles, drawing: Drawing) -> Annotation:
    """Draw the label map and save it, see `deliver`; for a thread beside the main one.

    Raises:
        Problem, EngineError: it cannot be saved.
    """
    labels = drawing.labels()
    if labels is None:
        raise Problem(_("Nothing is drawn on {name}.").format(name=drawing.facts.name))
    return deliver(client, files, drawing.facts, labels, drawing.grid)


def deliver(
    client: Client, files: EngineFiles, facts: DrawingFacts, labels: np.ndarray, grid: Grid
) -> Annotation:
    """Save a drawing as the next version of its case's annotation; for a thread beside the main one.

    A proposal that waits for a decision is decided by it: accepted when it is as the model drew it, else
    corrected.

    Args:
        client: of the engine.
        files: the way of files to it.
        facts: about the drawing.
        labels: uint8 (k, j, i).
        grid: where they lie.

    Raises:
        Problem, EngineError: it cannot be saved.
    """
    project, case = client.project(facts.project), client.case(facts.project, facts.case)
    if facts.new_segments:
        labels = _with_schema_values(client, project, facts.new_segments, labels)
    author, seconds = facts.author, facts.seconds
    proposal = None if facts.proposal is None else case.pseudo_label
    waits = proposal is not None and proposal.id == facts.proposal and case.state == WAITS
    if proposal is not None and waits and np.array_equal(labels, _proposed(client, files, project.key, case)):
        return client.accept(project.key, case.id, proposal.id, author=author, seconds=seconds)

    def write(path: Path) -> None:
        write_nrrd(path, labels, grid)

    with files.handed_over(client, project, _FILE, write) as path:
        if proposal is not None and waits:
            try:
                return client.correct(project.key, case.id, proposal.id, path, author=author, seconds=seconds)
            except backend.client_package().EngineError:
                if client.case(project.key, case.id).state == WAITS:
                    raise
                # Someone decided about the proposal meanwhile: this becomes the next version.
        return client.save_annotation(project.key, case.id, path, author=author, seconds=seconds)


def _with_schema_values(
    client: Client, project: Project, new: Sequence[NewSegment], labels: np.ndarray
) -> np.ndarray:
    """Add the segments that the project still lacks, and draw them with the values that they get."""
    states = tuple(SegmentState("", s.name, s.color, s.terminology, None, 0, s.value) for s in new)
    _values, missing = match_segments(states, project.segments)
    if missing:
        wanted = with_scene_segments(drafts_of(project.segments), missing)
        project = client.set_schema(project.key, schema_of(wanted, project.mirror_axes))
    values = {each.name.strip().casefold(): each.value for each in project.segments}
    drawn = labels.copy()
    for each in new:
        np.copyto(drawn, np.uint8(values[each.name.strip().casefold()]), where=labels == each.value)
    return drawn


def _proposed(client: Client, files: EngineFiles, project: str, case: Case) -> np.ndarray:
    """The label map as the model drew it, (k, j, i)."""
    proposal = case.pseudo_label
    assert proposal is not None
    with files.fetched(
        proposal.path, lambda target: client.download_proposal(project, case.id, target)
    ) as path:
        loaded = read_labels(path)
    whole = np.zeros(loaded.grid.shape, np.uint8)
    if loaded.image is not None:
        x0, x1, y0, y1, z0, z1 = loaded.image.GetExtent()
        whole[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1] = voxels_of(loaded.image)
    return whole
