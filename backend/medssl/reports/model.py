"""What a report shows, as plain data: whoever ran the work fills it, `medssl.reports.page` draws it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from medssl.evaluation.metrics import ClassScore
from medssl.evaluation.summary import mean_dice
from medssl.labels import Segment

Flag: TypeAlias = Literal["clear", "look", "check"]
Cause: TypeAlias = Literal["failed", "skipped"]

# An uncertainty of 0.1 means that the model itself expects nine tenths of the outline's overlap to be right.
LOOK_FROM = 0.10
CHECK_FROM = 0.25
FLAG_WORDS: dict[Flag, str] = {"clear": "Looks clear", "look": "Worth a look", "check": "Check this one"}


def flag_of(uncertainty: float) -> Flag:
    """Turn the case score (0 certain .. 1 uncertain) into what a person should do about the case."""
    shown = round(uncertainty, 2)  # as the page writes it, so that words and number never disagree
    if shown >= CHECK_FROM:
        return "check"
    return "look" if shown >= LOOK_FROM else "clear"


@dataclass(frozen=True)
class Fact:
    """One labelled line, such as `Fact("Method", "Dual-task consistency")`."""

    label: str
    text: str


@dataclass(frozen=True)
class Outline:
    """The border of one segment in a preview.

    Attributes:
        segment: index into the report's segments.
        path: an SVG path in half cells of the preview's grid (see `medssl.reports.outlines.trace`).
        reference: whether it is the reference's border and not the prediction's.
    """

    segment: int
    path: str
    reference: bool = False


@dataclass(frozen=True)
class Preview:
    """One slice with the borders of the segments on it. See `medssl.reports.previews.make_previews`.

    Attributes:
        plane: 'Axial', 'Coronal' or 'Sagittal'.
        slice_number: which slice of how many, for a person: from 1.
        slice_count: how many slices that axis has.
        picture: a grey JPEG or PNG file.
        width: columns of the grid on which the outlines lie; the picture fills that grid.
        height: its rows.
        aspect: width through height on the screen, from the millimetres, for pixels are rarely square.
        edges: patient directions at the left, right, top and bottom of the picture: ('R', 'L', 'A', 'P').
        outlines: borders of the segments.
        worst: whether the slice was chosen because it is the most uncertain one.
    """

    plane: str
    slice_number: int
    slice_count: int
    picture: bytes
    width: int
    height: int
    aspect: float
    edges: tuple[str, str, str, str]
    outlines: tuple[Outline, ...] = ()
    worst: bool = False


@dataclass(frozen=True)
class ReportRow:
    """One scan.

    Attributes:
        name: the case's name; it should be unique in the report.
        source: where the scan lies, for the person.
        state: what became of it in a word or two ('corrected', 'accepted', 'new scan'), or nothing.
        volumes_ml: volume of each segment in the report's order; None where it was not measured.
        scores: agreement of each segment with a reference, in the report's order; empty without a reference.
        uncertainty: the case score, 0 certain .. 1 uncertain; None where nothing was predicted.
        previews: pictures, most telling first.
    """

    name: str
    source: str = ""
    state: str = ""
    volumes_ml: tuple[float | None, ...] = ()
    scores: tuple[ClassScore, ...] = ()
    uncertainty: float | None = None
    previews: tuple[Preview, ...] = ()

    @property
    def flag(self) -> Flag | None:
        """What to do about the case, where there is a score."""
        return None if self.uncertainty is None else flag_of(self.uncertainty)

    @property
    def mean_dice(self) -> float | None:
        """Mean Dice over the segments that can be scored."""
        return mean_dice(self.scores)


@dataclass(frozen=True)
class Problem:
    """A scan that has no segmentation, and why."""

    name: str
    reason: str
    cause: Cause = "failed"
    remedy: str = ""


@dataclass(frozen=True)
class HistoryEntry:
    """One decision of a person (or of a program for a person) about a case."""

    time: datetime
    case: str
    action: str
    author: str = ""
    seconds: float | None = None
    model: str = ""


@dataclass(frozen=True)
class Report:
    """Everything one page shows.

    Attributes:
        title: the page's headline.
        created: when the work ended, with a time zone.
        segments: the schema's segments; every per-segment tuple has this order.
        rows: one a scan, in the order in which they should first be seen.
        facts: what a reader wants to know first: model, method, data.
        settings: everything needed to do it again: versions, settings, seeds, times.
        problems: scans that failed or were skipped.
        history: what people decided, oldest first; empty outside a project.
        notes: sentences that a reader must not miss ('No validation cases: ...').
    """

    title: str
    created: datetime
    segments: tuple[Segment, ...]
    rows: tuple[ReportRow, ...]
    facts: tuple[Fact, ...] = ()
    settings: tuple[Fact, ...] = ()
    problems: tuple[Problem, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    notes: tuple[str, ...] = ()
