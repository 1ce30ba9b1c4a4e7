"""What a report shows, as plain data: whoever ran the work fills it, `medssl.reports.page` draws it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from medssl.evaluation.metrics import ClassScore
from medssl.evaluation.summary import mean_dice
from medssl.labels import Segment

Flag: TypeAlias = Literal["clear", "look", "check"]
Cause: TypeAlias = Literal["failed", "left out"]

FLAG_WORDS: dict[Flag, str] = {"clear": "Looks clear", "look": "Worth a look", "check": "Check this one"}
SHOWN_DIGITS = 3  # of a case score on the page
_FEWEST = 8  # scores: quartiles of fewer say little
_FENCE = 1.5  # interquartile ranges; Tukey's, Exploratory Data Analysis, 1977


@dataclass(frozen=True)
class Scale:
    """Above which case score a scan stands out among others.

    How large the score is depends on the structure, the scanner and the model: what is much for one is little
    for another. So a scan is compared with other scans that the same model segmented. One that is more
    uncertain than three quarters of them is worth a look; one beyond Tukey's upper fence, which is 1.5 times
    the distance between the quartiles above the upper one, is unlike the others and should be checked.

    Attributes:
        look_above: the upper quartile of the others' scores.
        check_above: the fence.
        among: the others, for a person: 'the 40 scans of this report'.
    """

    look_above: float
    check_above: float
    among: str

    @classmethod
    def of(cls, scores: Sequence[float], among: str) -> Scale | None:
        """Make the scale of the scores, 0..1, of other scans; None when they are too few to tell."""
        if len(scores) < _FEWEST:
            return None
        lower, _, upper = statistics.quantiles(scores, n=4, method="inclusive")
        fence = upper + _FENCE * (upper - lower)
        return cls(round(upper, SHOWN_DIGITS), round(fence, SHOWN_DIGITS), among)

    def flag(self, uncertainty: float) -> Flag:
        """Turn a case score, 0 certain .. 1 uncertain, into what a person should do about the case."""
        shown = round(uncertainty, SHOWN_DIGITS)  # as the page writes it: words and number never disagree
        if shown > self.check_above:
            return "check"
        return "look" if shown > self.look_above else "clear"


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
class Stack:
    """Slices to leaf through. See `medssl.reports.stacks.make_stack`.

    Attributes:
        plane: 'Axial', 'Coronal' or 'Sagittal'.
        numbers: which slices, for a person: from 1.
        slice_count: how many slices that axis has.
        first: index into `numbers` of the slice to begin with.
        sheet: a grey WebP file with all slices side by side, `columns` in a row.
        overlay: a PNG file of the same layout with the segments in their colors on nothing.
        columns: tiles a row of the sheets.
        tile: (width, height) of a tile in pixels.
        aspect: width through height of a slice on the screen, from the millimetres.
        edges: patient directions at the left, right, top and bottom.
    """

    plane: str
    numbers: tuple[int, ...]
    slice_count: int
    first: int
    sheet: bytes
    overlay: bytes
    columns: int
    tile: tuple[int, int]
    aspect: float
    edges: tuple[str, str, str, str]


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
        stack: slices to leaf through; None where there is no picture.
        note: what a person should know about how the scan was read; mostly empty.
    """

    name: str
    source: str = ""
    state: str = ""
    volumes_ml: tuple[float | None, ...] = ()
    scores: tuple[ClassScore, ...] = ()
    uncertainty: float | None = None
    previews: tuple[Preview, ...] = ()
    stack: Stack | None = None
    note: str = ""

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
        card: the model's card: licence, intended use, limits, what it learned from.
        settings: everything needed to do it again: versions, settings, seeds, times.
        problems: scans that failed or were left out.
        history: what people decided, oldest first; empty outside a project.
        notes: sentences that a reader must not miss ('No validation cases: ...').
        scale: what the case scores are compared with; no scan is marked without it.
    """

    title: str
    created: datetime
    segments: tuple[Segment, ...]
    rows: tuple[ReportRow, ...]
    facts: tuple[Fact, ...] = ()
    card: tuple[Fact, ...] = ()
    settings: tuple[Fact, ...] = ()
    problems: tuple[Problem, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    notes: tuple[str, ...] = ()
    scale: Scale | None = None

    def flag(self, row: ReportRow) -> Flag | None:
        """What to do about a scan, where that can be said."""
        if self.scale is None or row.uncertainty is None:
            return None
        return self.scale.flag(row.uncertainty)
