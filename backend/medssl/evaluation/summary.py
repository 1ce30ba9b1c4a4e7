"""Many cases in a few numbers, without hiding the cases that have none."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medssl.evaluation.metrics import ClassScore


@dataclass(frozen=True)
class Spread:
    """What a list of numbers looks like.

    Attributes:
        count: how many numbers.
        mean: their mean.
        std: standard deviation of the sample (divided by n - 1); None for a single number.
        median: their median.
        low: the smallest.
        high: the largest.
    """

    count: int
    mean: float
    std: float | None
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Summarise the values that are known; None when none is."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(
            count=len(known),
            mean=statistics.fmean(known),
            std=statistics.stdev(known) if len(known) > 1 else None,
            median=statistics.median(known),
            low=min(known),
            high=max(known),
        )

    def text(self, digits: int = 3) -> str:
        """Write mean and spread for a person: '0.847 ± 0.021'."""
        return f"{self.mean:.{digits}f}" + ("" if self.std is None else f" ± {self.std:.{digits}f}")


@dataclass(frozen=True)
class ClassSummary:
    """One segment over all scored cases.

    Distances exist only where both sides hold the segment, so that a model that draws nothing has few of
    them: read them together with `missed` and `invented`.

    Attributes:
        name: the segment's name.
        dice: over the cases in which at least one side holds the segment.
        jaccard: over the same cases.
        hd95_mm: over the cases in which both sides hold the segment.
        asd_mm: over the same cases.
        missed: cases in which only the reference holds it.
        invented: cases in which only the prediction holds it.
        absent: cases in which neither does.
    """

    name: str
    dice: Spread | None
    jaccard: Spread | None
    hd95_mm: Spread | None
    asd_mm: Spread | None
    missed: int
    invented: int
    absent: int


def summarise(cases: Sequence[Sequence[ClassScore]]) -> tuple[ClassSummary, ...]:
    """Summarise the scores of cases that were scored with one schema, segment by segment."""
    return tuple(_summarise_class(scores) for scores in zip(*cases, strict=True))


def mean_dice(scores: Sequence[ClassScore]) -> float | None:
    """Return the mean Dice over a case's segments; None when none of them can be scored."""
    spread = Spread.of(score.dice for score in scores)
    return None if spread is None else spread.mean


def _summarise_class(scores: Sequence[ClassScore]) -> ClassSummary:
    return ClassSummary(
        name=scores[0].name,
        dice=Spread.of(score.dice for score in scores),
        jaccard=Spread.of(score.jaccard for score in scores),
        hd95_mm=Spread.of(score.hd95_mm for score in scores),
        asd_mm=Spread.of(score.asd_mm for score in scores),
        missed=sum(score.missed for score in scores),
        invented=sum(score.invented for score in scores),
        absent=sum(score.dice is None for score in scores),
    )
