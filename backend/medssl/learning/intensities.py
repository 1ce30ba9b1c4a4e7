"""Robust intensity normalisation: what one bright voxel, padding or NaN cannot change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from medssl.learning.plan import Normalisation

_SAMPLE_VOXELS = 1 << 20
_COUNTED = 1 << 16  # whole numbers over so wide a range are counted one by one
_PADDING_SHARE = 0.1  # a single value that fills more of a scan than this, and is dark, was not measured
_FILL_SHARE = 1e-3  # nor was one that fills this much and lies
_FAR = 10.0  # so many times the range of all others outside of it
_LOOKED_AT = 1 << 16  # voxels that tell that range


@dataclass(frozen=True)
class Scale:
    """Clip to [low, high], subtract mean, divide by std."""

    low: float
    high: float
    mean: float
    std: float

    def apply(self, intensities: Tensor) -> Tensor:
        """Normalise float32 intensities in place and return them; NaN becomes the darkest value."""
        intensities.nan_to_num_(nan=self.low, posinf=self.high, neginf=self.low)
        return intensities.clamp_(self.low, self.high).sub_(self.mean).div_(self.std)


def find_scale(array: NDArray[Any], normalisation: Normalisation) -> Scale:
    """Find how to normalise one channel of one scan (any shape).

    For `percentile`, range, mean and standard deviation are those of the scan's measured voxels (see
    `measured_sample`) after clipping; a constant scan becomes all zeros.
    """
    if normalisation.kind == "window":
        return Scale(normalisation.low, normalisation.high, normalisation.mean, normalisation.std)
    sample = measured_sample(array)
    if not len(sample):
        return Scale(0.0, 0.0, 0.0, 1.0)
    low, high = np.percentile(sample, [normalisation.low, normalisation.high])
    clipped = sample.clip(low, high)
    return Scale(float(low), float(high), float(clipped.mean()), float(clipped.std()) or 1.0)


def measured_sample(array: NDArray[Any], count: int = _SAMPLE_VOXELS) -> NDArray[np.float64]:
    """Take about `count` voxels, evenly spread over a scan, without what is padding or not finite.

    Padding is a single value that fills more than a tenth of the scan and is darker than most of the rest.
    Left in, a scan with much of it would look brighter and flatter than the same scan cropped. So is the
    least or the greatest value where it fills a thousandth and lies far beyond all others, as the -32768 that
    some programs write where a scan was resampled: more of it than the percentiles leave out would make all
    tissue one grey.

    Returns:
        (n,) float64; empty only when no voxel is finite.
    """
    step = max(1, round((array.size / count) ** (1 / array.ndim)))
    raw = array[(slice(None, None, step),) * array.ndim].ravel()
    sample: NDArray[np.float64] = raw.astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        return sample
    for extreme in (sample.min(), sample.max()):
        sample = _without_fill(sample, extreme)
    whole = raw.dtype.kind in "iu" and len(raw) == len(sample)
    common, count = _most_common(raw if whole else sample)
    if count <= _PADDING_SHARE * len(sample):
        return sample
    rest: NDArray[np.float64] = sample[sample != common]
    return rest if len(rest) and common < np.median(rest) else sample


def _without_fill(sample: NDArray[np.float64], value: float) -> NDArray[np.float64]:
    """Drop one value where it is common and far from all others."""
    filled = sample == value
    if filled.mean() < _FILL_SHARE or filled.all():
        return sample
    rest: NDArray[np.float64] = sample[~filled]
    low, high = np.percentile(rest[:: max(1, len(rest) // _LOOKED_AT)], [0.5, 99.5])
    far = _FAR * (high - low)
    return rest if far > 0 and (value < low - far or value > high + far) else sample


def _most_common(values: NDArray[Any]) -> tuple[float, int]:
    """The value that is there most often, the smallest of several, and how often."""
    low = values.min()
    if values.dtype.kind in "iu" and int(values.max()) - int(low) < _COUNTED:
        counts = np.bincount(values.astype(np.intp) - int(low))  # many times as fast as sorting
        return float(int(low) + counts.argmax()), int(counts.max())
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()]), int(counts.max())
