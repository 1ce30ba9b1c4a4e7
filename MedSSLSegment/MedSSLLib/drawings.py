"""What a person drew on a case, on its way to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional

import numpy as np
from slicer.i18n import tr as _

from MedSSLLib.grids import Grid
from MedSSLLib.meantime import Overtaken, news_of, renamed, unless_overtaken, version_of
from MedSSLLib.problems import Problem
from MedSSLLib.review_queue import WAITS
from MedSSLLib.schema_changes import with_segments
from MedSSLLib.schema_logic import free_names
from MedSSLLib.segmentations import (
    UNANNOTATED,
    SegmentationSnapshot,
    SegmentState,
    label_map_of,
    labels_of,
    match_segments,
    read_labels,
)
from MedSSLLib.slice_marks import SliceMarks
from MedSSLLib.terminology import entry_of
from MedSSLLib.voxel_files import write_nrrd

if TYPE_CHECKING:
    from pathlib import Path

    from medssl.client import Annotation, Case, Client, Project

    from MedSSLLib.engine_files import EngineFiles

_FILE = "drawing.nrrd"
_LARGEST_VALUE = UNANNOTATED - 1


@dataclass(frozen=True)
class DrawnSegment:
    """A segment as the project had it, or is to get it; `value` stands for it in the drawing."""

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
        version: of the annotation that counted when the person last saw the case, 0 for none; None when the
            drawing is to count whatever was saved meanwhile.
        segments: that are drawn.
        grows: whether the project gets those of them that it lacks; otherwise, nothing is saved then.
        added: when the case was added to the project; '' in drawings of earlier versions.
        engine: that has the project, as in `Session.address`; None when that is not known.
    """

    project: str
    case: int
    name: str
    proposal: Optional[int]
    author: str
    seconds: float
    version: Optional[int] = None
    segments: tuple[DrawnSegment, ...] = ()
    grows: bool = False
    added: str = ""
    engine: Optional[str] = None


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


def facts_of(
    project: Project,
    case: Case,
    seconds: float,
    version: Optional[int] = None,
    proposal: Optional[int] = None,
    engine: Optional[str] = None,
) -> DrawingFacts:
    """Write down what a drawing is of."""
    author, added = author_name(), case.added
    return DrawingFacts(
        project.key, case.id, case.name, proposal, author, seconds, version, added=added, engine=engine
    )


def is_of(facts: DrawingFacts, case: Case) -> bool:
    """Whether a drawing is of this very case.

    Its ids do not tell: the key of a project is made of its folder's path, which another computer may have as
    well, or another project later; and cases are numbered from 1 in each.
    """
    return case.name == facts.name and facts.added in ("", case.added)


def further(facts: DrawingFacts, overtaken: Overtaken) -> DrawingFacts:
    """The facts of a drawing that is to follow what was saved meanwhile."""
    return replace(facts, version=overtaken.version, proposal=None)


def with_values(drawing: Drawing, project: Project, values: Mapping[str, int]) -> Drawing:
    """Give the segments their values in the project, by their ids; those without one are left out."""
    known = {each.value: each for each in project.segments}
    drawn = {values[each.id] for each in drawing.drawn.segments if each.layer >= 0 and each.id in values}
    found = tuple(
        DrawnSegment(each.name, each.value, each.colour, entry_of(each.terminology))
        for each in (known[value] for value in sorted(drawn))
    )
    return replace(drawing, facts=replace(drawing.facts, segments=found), values=values)


def with_known_segments(drawing: Drawing, project: Project) -> Drawing:
    """Give the segments their values in the project.

    Raises:
        Problem: the project lacks one on which something is drawn; the sentence names it.
    """
    values, unknown = match_segments(drawing.drawn.segments, project)
    for each in unknown:
        if each.layer >= 0:
            raise Problem(
                _("The segment '{name}' is not in the project's label schema.").format(name=each.name),
                _("Add it in the section Project, or delete the segment; nothing was saved yet."),
            )
    return with_values(drawing, project, values)


def with_new_segments(drawing: Drawing, project: Project) -> Drawing:
    """Give the segments that the project lacks values and names of their own: they are kept as well."""
    values, unknown = match_segments(drawing.drawn.segments, project)
    drawn = [each for each in unknown if each.layer >= 0]
    taken = {each.value for each in project.segments}
    free = (value for value in range(_LARGEST_VALUE, 0, -1) if value not in taken)
    new = dict(zip((each.id for each in drawn), free))
    names = free_names((each.name for each in drawn), (each.name for each in project.segments))
    listed = tuple(
        DrawnSegment(name, new[each.id], each.color, each.terminology) for name, each in zip(names, drawn)
    )
    known = with_values(drawing, project, values).facts.segments
    facts = replace(drawing.facts, segments=(*known, *listed))
    return replace(drawing, facts=facts, values={**values, **new})


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
        Overtaken: somebody decided on the case or annotated it since the person last saw it.
        Problem, EngineError: it cannot be saved, or the project here is not the one of the drawing.
    """
    project, case = client.project(facts.project), client.case(facts.project, facts.case)
    if not is_of(facts, case):
        text = _(
            "The project in {folder} is not the one that was drawn in, or its scan {name} was added anew."
        )
        raise Problem(
            text.format(folder=project.folder, name=facts.name),
            _("Nothing was saved there; use the engine on which it was drawn."),
        )
    news = "" if facts.version is None else news_of(case, facts.version, facts.proposal)
    if news:
        raise Overtaken(news, case)
    labels = _with_schema_values(client, project, facts, labels)
    author, seconds, seen = facts.author, facts.seconds, facts.version
    proposal = None if facts.proposal is None else case.pseudo_label
    waits = proposal is not None and proposal.id == facts.proposal and case.state == WAITS
    alike = waits and np.array_equal(labels, _proposed(client, files, project.key, case))

    def write(path: Path) -> None:
        write_nrrd(path, labels, grid)

    def save() -> Annotation:
        if proposal is not None and alike:
            return client.accept(
                project.key, case.id, proposal.id, author=author, seconds=seconds, seen_version=seen
            )
        with files.handed_over(client, project, _FILE, write) as path:
            if proposal is not None and waits:
                return client.correct(
                    project.key, case.id, proposal.id, path, author=author, seconds=seconds, seen_version=seen
                )
            return client.save_annotation(
                project.key, case.id, path, author=author, seconds=seconds, seen_version=seen
            )

    return unless_overtaken(client, project.key, case.id, version_of(case), facts.proposal, save)


def _with_schema_values(
    client: Client, project: Project, facts: DrawingFacts, labels: np.ndarray
) -> np.ndarray:
    """Draw the segments with the values that they have in the project now, see `DrawingFacts.grows`."""
    if not facts.grows:
        changed = renamed({each.value: each.name for each in facts.segments}, project.segments)
        if changed:
            raise Problem(changed, _("Compare the section Project, then save again; nothing was saved yet."))
    states = tuple(
        SegmentState(str(each.value), each.name, each.color, each.terminology, None, 0, each.value)
        for each in facts.segments
    )
    values, _missing = match_segments(states, with_segments(client, project, states))
    now = {each.value: values[str(each.value)] for each in facts.segments}
    moved = {before: value for before, value in now.items() if before != value}
    drawn = labels.copy() if moved else labels
    for before, value in moved.items():
        np.copyto(drawn, np.uint8(value), where=labels == before)
    return drawn


def _proposed(client: Client, files: EngineFiles, project: str, case: Case) -> np.ndarray:
    """The label map as the model drew it, (k, j, i)."""
    proposal = case.pseudo_label
    assert proposal is not None
    with files.fetched(
        proposal.path, lambda target: client.download_proposal(project, case.id, target)
    ) as path:
        return label_map_of(read_labels(path))
