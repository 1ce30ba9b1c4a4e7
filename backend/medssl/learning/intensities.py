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
    Left in, a scan with much of it would look brighter and flatter than the same scan cropped.

    Returns:
        (n,) float64; empty only when no voxel is finite.
    """
    step = max(1, round((array.size / count) ** (1 / array.ndim)))
    raw = array[(slice(None, None, step),) * array.ndim].ravel()
    sample: NDArray[np.float64] = raw.astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        return sample
    common, count = _most_common(raw if raw.dtype.kind in "iu" else sample)
    if count <= _PADDING_SHARE * len(sample):
        return sample
    rest: NDArray[np.float64] = sample[sample != common]
    return rest if len(rest) and common < np.median(rest) else sample


def _most_common(values: NDArray[Any]) -> tuple[float, int]:
    """The value that is there most often, the smallest of several, and how often."""
    low = values.min()
    if values.dtype.kind in "iu" and int(values.max()) - int(low) < _COUNTED:
        counts = np.bincount(values.astype(np.intp) - int(low))  # many times as fast as sorting
        return float(int(low) + counts.argmax()), int(counts.max())
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()]), int(counts.max())
