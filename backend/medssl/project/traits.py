"""What is kept of a scan to tell how much two scans are alike: how large it is and how bright.

The traits are 3 + 3 C numbers for C channels: the extents in mm along the patient's z, y and x axis, and for
each channel its 5th, 50th and 95th percentile of intensity.
"""

from __future__ import annotations

import numpy as np

from medssl.imaging.canonical import Canonical
from medssl.imaging.volume import Grid, Volume

_SAMPLED = 200_000  # voxels of a channel; percentiles of a sample are as good


def extents_mm(grid: Grid) -> list[float]:
    """How far a scan reaches along the patient's z, y and x axis, as nearly as its own axes follow them."""
    canonical = Canonical.of(grid)
    shape = [grid.shape[axis] for axis in canonical.order]
    return [float(size * mm) for size, mm in zip(shape, canonical.spacing_mm, strict=True)]


def brightness(channel: Volume) -> list[float]:
    """The 5th, 50th and 95th percentile of a channel's intensities; zeros where none is finite."""
    stride = max(1, round((channel.array.size / _SAMPLED) ** (1 / 3)))
    sample = channel.array[::stride, ::stride, ::stride].astype(np.float64).ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return [0.0, 0.0, 0.0]
    return [float(value) for value in np.percentile(sample, (5, 50, 95))]
