"""What a project tells about its cases, annotations, proposals, models and jobs. All of it is frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from medssl.events import JobState

Role: TypeAlias = Literal["training", "validation", "excluded"]
CaseState: TypeAlias = Literal["new", "proposed", "annotated", "rejected"]
DecisionKind: TypeAlias = Literal["drawn", "accepted", "corrected", "rejected"]
SortKey: TypeAlias = Literal["name", "uncertainty", "state", "added"]
SuggestionKind: TypeAlias = Literal["typical", "unlike", "uncertain", "next", "done"]
Region: TypeAlias = tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Annotation:
    """A label map a person stands behind: one immutable version.

    Attributes:
        version: 1, 2, ... for each case; some numbers may be missing.
        path: the `.seg.nrrd` file, on the grid of the case.
        kind: drawn by hand, or accepted or corrected from a proposal.
        model_id: the model that proposed it; None when it was drawn.
        author: who; empty when not told.
        seconds: time the person spent; None when not measured.
        withdrawn: taken back by an undo; the file is still there.
        restored_from: the version whose label map this one repeats; None for all others.
        notes: how its file was read, one sentence each; only what saving it returns has them.
    """

    id: int
    case_id: int
    version: int
    path: Path
    kind: DecisionKind
    model_id: str | None
    author: str
    seconds: float | None
    created: datetime
    withdrawn: bool
    restored_from: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UncertainRegion:
    """A part of a proposal that deserves a look.

    Attributes:
        box: first voxel and the voxel after the last, each (z, y, x).
        centre: the voxel (z, y, x) to show first; it is where the uncertainty is densest.
        share: part of the proposal's whole uncertainty that lies in the box, 0 .. 1.
    """

    box: Region
    centre: tuple[int, int, int]
    share: float


@dataclass(frozen=True)
class PseudoLabel:
    """What a model proposes for a case.

    Attributes:
        path: the label map, a `.seg.nrrd` file on the grid of the case.
        uncertainty_path: a map on the same grid, 0 certain .. 1 uncertain.
        score: uncertainty of the whole proposal, 0 certain .. 1 uncertain.
        worst_slice: index along z of the most uncertain slice.
        worst_region: first voxel and the voxel after the last, each (z, y, x); None when there is none.
        decision: what a person made of it; None while it is open.
        regions: where to look, the most uncertain first; empty when nothing is uncertain, and for proposals
            that an older version of MedSSL made.
    """

    id: int
    case_id: int
    path: Path
    uncertainty_path: Path
    model_id: str
    score: float
    worst_slice: int
    worst_region: Region | None
    created: datetime
    decision: DecisionKind | None
    regions: tuple[UncertainRegion, ...] = ()


@dataclass(frozen=True)
class CaseSummary:
    """One line of the table of cases.

    Attributes:
        score: uncertainty of the newest proposal, 0 certain .. 1 uncertain; None without one.
        model_id: the model of the newest proposal.
        annotation_version: version of the annotation that counts; None without one.
    """

    id: int
    name: str
    role: Role
    state: CaseState
    score: float | None
    model_id: str | None
    annotation_version: int | None
    added: datetime


@dataclass(frozen=True)
class Case:
    """One subject's scan.

    Attributes:
        channels: one image for each channel of the project, in its order: a file, or a folder with one
            DICOM series.
        folder: name of its folders below `labels/`, `predictions/` and, when copied, `images/`.
        state: `annotated` when an annotation counts; otherwise what became of the newest proposal
            (`proposed` while it is open, `rejected`); `new` without one.
        annotation: the newest that was not taken back.
        pseudo_label: the newest, open or decided.
        notes: what a person should know about how its images were read, one sentence each: of a case that
            was just added; they are not kept.
    """

    id: int
    name: str
    channels: tuple[Path, ...]
    folder: str
    role: Role
    state: CaseState
    annotation: Annotation | None
    pseudo_label: PseudoLabel | None
    added: datetime
    notes: tuple[str, ...] = ()


CaseRef: TypeAlias = Case | CaseSummary | int | str
"""How a case can be named: by a record of it, its id, or its name."""
Seen: TypeAlias = int | None
"""The version that counted when a person last looked, 0 for none; None when that does not matter."""


@dataclass(frozen=True)
class Suggestion:
    """The case to work on next, and why.

    Attributes:
        case: None when nothing is left to do.
        reason: one or two sentences for a person.
        why: for a program: it is `typical` of all scans, it stands for those `unlike` the annotated ones, its
            proposal is the most `uncertain`, it is the `next` by name because nothing is known of the scans,
            or everything is `done`.
    """

    case: CaseSummary | None
    reason: str
    why: SuggestionKind


@dataclass(frozen=True)
class ModelRecord:
    """A model in the project; what it is in detail is in its folder's `card.json`.

    Attributes:
        can_segment: trained, and not only pretrained for a training to begin with.
    """

    id: str
    name: str
    method: str
    folder: Path
    created: datetime
    can_segment: bool


@dataclass(frozen=True)
class JobRow:
    """One long operation.

    Attributes:
        request: the request as JSON.
        process_id: the process that last ran it, on the computer `host`; None before it ran.
        process_mark: tells that process from a later one with its number, see `medssl.processes`.
        error: what went wrong, for a person; empty unless it failed.
    """

    id: str
    kind: str
    request: str
    state: JobState
    folder: Path
    created: datetime
    started: datetime | None
    ended: datetime | None
    process_id: int | None
    process_mark: str | None
    host: str | None
    error: str
    remedy: str


Beside: TypeAlias = Callable[[JobRow], None] | None
"""Asked about a job that runs; raises where nothing may begin beside it. None: anything may."""
