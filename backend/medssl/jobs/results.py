"""What each kind of job gives back when it finished."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)

    @property
    def left_undone(self) -> int:
        """How many of the things that were asked for could not be done; the others are."""
        return 0


class ImportResult(_Result):
    """What came into the project.

    `found_again` counts those of the cases already there that got their files, which were gone, again, and
    `passed_over` what a folder holds beside scans, as label maps.
    """

    kind: Literal["import"] = "import"
    cases: int
    annotated: int
    already_there: int
    found_again: int = 0
    refused: int = 0
    passed_over: int = 0
    labels_refused: int = 0

    @property
    def left_undone(self) -> int:
        """Scans that could not become cases, and cases that lack their labels."""
        return self.refused + self.labels_refused


class TrainResult(_Result):
    """The model that came out; `validation_dice` by segment, or None when there is no validation case."""

    kind: Literal["train"] = "train"
    model_id: str
    steps: int
    seconds: float
    validation_dice: dict[str, float] | None = None


class PretrainResult(_Result):
    """The model that came out, which cannot segment yet, and how many scans it has seen."""

    kind: Literal["pretrain"] = "pretrain"
    model_id: str
    scans: int
    steps: int
    seconds: float


class Proposal(_Result):
    """One case's pseudo-label: `score` is 0 for certain and 1 for uncertain; volumes by segment."""

    case: str
    score: float
    volumes_ml: dict[str, float]


class ProposeResult(_Result):
    """The proposals, most uncertain first, and the cases that could not be segmented with their reasons."""

    kind: Literal["propose"] = "propose"
    model_id: str
    proposals: tuple[Proposal, ...]
    failed: dict[str, str] = {}

    @property
    def left_undone(self) -> int:
        """Cases that could not be segmented."""
        return len(self.failed)


class PredictResult(_Result):
    """How a folder went, and where the table and the report are.

    `skipped` counts scans that an earlier run had segmented; `unfit` holds what is no scan for the model,
    with its reason.
    """

    kind: Literal["predict"] = "predict"
    model_id: str
    done: int
    skipped: int
    failed: dict[str, str]
    unfit: dict[str, str] = {}
    output: Path
    table: Path
    report: Path

    @property
    def left_undone(self) -> int:
        """Scans that could not be segmented; what is no scan for the model is none of them."""
        return len(self.failed)


class SegmentScore(_Result):
    """Means of one segment over all scored cases; None where no case could be scored.

    `missed` counts cases in which only the reference holds it: those have a Dice of 0 and no distance.
    """

    name: str
    dice: float | None
    dice_spread: float | None
    jaccard: float | None
    hd95_mm: float | None
    asd_mm: float | None
    missed: int


class EvaluateResult(_Result):
    """Scores by segment over `cases` cases, and where the table and the report are.

    `failed` holds the cases that could not be scored, and `left_out` those on which the model cannot be
    judged, since it was trained with their annotations or proposed them itself; each with its reason.
    `accepted` names the scored cases whose reference is a proposal of another model that was accepted as it
    was, and `seen` those from whose scans the model learned, without their annotations.
    """

    kind: Literal["evaluate"] = "evaluate"
    model_id: str | None
    cases: int
    segments: tuple[SegmentScore, ...]
    failed: dict[str, str] = {}
    left_out: dict[str, str] = {}
    accepted: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    table: Path
    report: Path

    @property
    def left_undone(self) -> int:
        """Cases that could not be scored."""
        return len(self.failed)

    @property
    def mean_dice(self) -> float | None:
        """Mean of the segments' mean Dice coefficients."""
        found = [c.dice for c in self.segments if c.dice is not None]
        return sum(found) / len(found) if found else None


class BenchmarkRow(_Result):
    """A method with one number of annotated cases: means over seeds, with their standard deviation.

    `difference` is how far it is above the baseline, case by case; `low` to `high` is its 95 % interval.
    """

    annotated: int
    method: str
    seeds: int
    steps: float
    dice: float | None
    dice_spread: float | None
    difference: float | None
    low: float | None
    high: float | None


class BenchmarkResult(_Result):
    """The table, and where it, all cases and the plot are; no plot without matplotlib."""

    kind: Literal["benchmark"] = "benchmark"
    runs: int
    rows: tuple[BenchmarkRow, ...]
    output: Path
    table: Path
    summary: Path
    plot: Path | None


class ExportModelResult(_Result):
    """Where the model is now."""

    kind: Literal["export_model"] = "export_model"
    model_id: str
    output: Path


class ImportModelResult(_Result):
    """The model as the project knows it, and what it finds."""

    kind: Literal["import_model"] = "import_model"
    model_id: str
    name: str
    segments: tuple[str, ...]
    can_segment: bool


class ExportProjectResult(_Result):
    """Where the data set is, and what is in it."""

    kind: Literal["export_project"] = "export_project"
    output: Path
    annotated: int
    unannotated: int


Result: TypeAlias = Annotated[
    ImportResult
    | TrainResult
    | PretrainResult
    | ProposeResult
    | PredictResult
    | EvaluateResult
    | BenchmarkResult
    | ExportModelResult
    | ImportModelResult
    | ExportProjectResult,
    Field(discriminator="kind"),
]
RESULT: TypeAdapter[Result] = TypeAdapter(Result)


class JobResult(_Result):
    """A finished job: its id, how long it ran this time, and what came out."""

    job_id: str
    seconds: float
    result: Result
