"""The runs of a benchmark and their results, kept as a file each."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from medssl.errors import DataError
from medssl.evaluation.benchmark.settings import BenchmarkSettings, Measure, Start
from medssl.evaluation.summary import Spread
from medssl.learning.settings import MethodName
from medssl.storage import write_text
from medssl.words import counted

_ENDING = ".json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Arm(_Record):
    """What is compared: a method and what it starts from."""

    method: MethodName
    start: Start

    @property
    def title(self) -> str:
        """For a person: 'dual_task', or 'dual_task from rotation 30 %'."""
        return self.method if self.start.task is None else f"{self.method} from {self.start.title}"


class Run(_Record):
    """One training and its score; two runs that are equal measure the same thing."""

    dataset: str
    measure: Measure
    annotated: int
    arm: Arm
    seed: int

    @property
    def title(self) -> str:
        """For a person."""
        return f"{self.arm.title}, {counted(self.annotated, 'case')}, seed {self.seed}"

    @property
    def key(self) -> str:
        """Names its files: the same for equal runs, in every process."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]


class CaseResult(_Record):
    """One scored case.

    Attributes:
        name: the case's.
        dice: of each segment, 0..1; None where neither side holds it.
        whole: Dice of all segments as one.
        uncertainty: the case score, 0 certain .. 1 uncertain.
    """

    name: str
    dice: tuple[float | None, ...]
    whole: float | None
    uncertainty: float

    @property
    def mean_dice(self) -> float | None:
        """Mean over the segments that can be scored."""
        spread = Spread.of(self.dice)
        return None if spread is None else spread.mean


class RunResult(_Record):
    """What a run gave.

    Attributes:
        run: which.
        segments: their names, in the order of every case's `dice`.
        cases: the held-out ones.
        proposals: cases that were not annotated, as far as they were asked for.
        pretraining_steps: taken before the training.
        steps: of the training.
        seconds: that both took, by the clock of the budget.
        medssl_version: that made it.
    """

    run: Run
    segments: tuple[str, ...]
    cases: tuple[CaseResult, ...]
    proposals: tuple[CaseResult, ...] = ()
    pretraining_steps: int = 0
    steps: int
    seconds: float
    medssl_version: str

    @property
    def dice(self) -> float | None:
        """Mean Dice of the held-out cases, each the mean of its segments."""
        spread = Spread.of(case.mean_dice for case in self.cases)
        return None if spread is None else spread.mean


Results: TypeAlias = dict[Run, RunResult]


def planned(settings: BenchmarkSettings, dataset: str) -> Iterator[Run]:
    """Every run that is asked for; seeds come last, so that all of a table is there early."""
    arms = [Arm(method=method, start=start) for start in settings.starts for method in settings.methods]
    for seed in settings.seeds:
        for count in settings.annotated:
            for arm in arms:
                yield Run(dataset=dataset, measure=settings.measure, annotated=count, arm=arm, seed=seed)


def read_results(folder: Path) -> Results:
    """Read the results that are in a folder, in the order of their runs' names.

    Raises:
        DataError: one of them cannot be understood.
    """
    results: Results = {}
    for path in sorted(folder.glob(f"*{_ENDING}")):
        try:
            result = RunResult.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:  # ValidationError is a ValueError
            raise DataError(
                f"{path} is not the result of a run of this version's benchmark.",
                "Choose another output folder, or move the file away.",
            ) from error
        results[result.run] = result
    return results


def keep_result(folder: Path, result: RunResult) -> None:
    """Write a result into the folder, where `read_results` finds it.

    Raises:
        StorageError: it could not be written.
    """
    write_text(folder / f"{result.run.key}{_ENDING}", result.model_dump_json(indent=1) + "\n")
