"""The volumes of a segment over all scans: which are unusual, and a plot of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Unusual: TypeAlias = Literal["small", "large"]

_FEWEST = 8  # scans below which quartiles say nothing
_WHISKERS = 1.5  # quartile distances beyond the quartiles (Tukey, Exploratory Data Analysis, 1977)
_LEAST_SHARE = 0.1  # of the median: closer to it nothing is unusual, however alike the scans are


@dataclass(frozen=True)
class VolumeSpread:
    """What volumes look like that belong together.

    Attributes:
        low: below it a volume is unusually small.
        first: the first quartile.
        median: the middle one.
        third: the third quartile.
        high: above it a volume is unusually large.
    """

    low: float
    first: float
    median: float
    third: float
    high: float

    @classmethod
    def of(cls, volumes_ml: Sequence[float]) -> VolumeSpread | None:
        """Find it; None for fewer than eight scans."""
        if len(volumes_ml) < _FEWEST:
            return None
        first, median, third = statistics.quantiles(volumes_ml, n=4, method="inclusive")
        reach = max(_WHISKERS * (third - first), _LEAST_SHARE * median)
        return cls(first - reach, first, median, third, third + reach)

    def judge(self, volume_ml: float) -> Unusual | None:
        """Say whether a volume is unusual among the others."""
        if volume_ml < self.low:
            return "small"
        return "large" if volume_ml > self.high else None
