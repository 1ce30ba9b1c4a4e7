"""What the planner needs to know about one case, measured once and without keeping its voxels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medssl.imaging.canonical import Canonical
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.labels import BACKGROUND, UNANNOTATED, LabelSchema
from medssl.learning.distance import inradii
from medssl.learning.intensities import measured_sample
from medssl.learning.plan import Triple

_SAMPLE_VOXELS = 20_000


@dataclass(frozen=True, eq=False)
class ChannelFacts:
    """Intensities of one channel.

    Attributes:
        minimum: the smallest.
        whole_numbers: whether all sampled intensities are.
        measured: a sample of the intensities that are not padding.
        in_structures: a sample of those in annotated structures; empty without an annotation.
    """

    minimum: float
    whole_numbers: bool
    measured: NDArray[np.float64]
    in_structures: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScanFacts:
    """What one case adds to the plan.

    Attributes:
        name: the case's.
        shape: (z, y, x) in canonical orientation.
        spacing_mm: the same order.
        channels: one entry a channel.
        radii_mm: inradius of each segment, 0 for one that is not there; None without an annotation.
    """

    name: str
    shape: Triple
    spacing_mm: tuple[float, float, float]
    channels: tuple[ChannelFacts, ...]
    radii_mm: tuple[float, ...] | None


def gather_facts(
    name: str,
    channels: Sequence[Path],
    schema: LabelSchema,
    annotation: NDArray[np.uint8] | None = None,
) -> ScanFacts:
    """Read the channels of one case and measure them.

    Args:
        name: the case's.
        channels: files (or DICOM folders), one a channel, all on one grid.
        schema: what the annotation's values mean.
        annotation: label values (z, y, x) on the scan's grid, 255 where not annotated.

    Raises:
        ImageError: a channel cannot be read.
    """
    return facts_of(name, (read_volume(path) for path in channels), schema, annotation)


def facts_of(
    name: str,
    channels: Iterable[Volume],
    schema: LabelSchema,
    annotation: NDArray[np.uint8] | None = None,
) -> ScanFacts:
    """Measure the channels of one case, one after the other: one volume in memory is enough.

    See `gather_facts` for the arguments; there is at least one channel.
    """
    structures = None
    if annotation is not None:
        structures = (annotation != BACKGROUND) & (annotation != UNANNOTATED)
    grid, found = None, []
    for volume in channels:
        grid = grid or volume.grid
        found.append(_channel_facts(volume, structures))
    assert grid is not None
    canonical = Canonical.of(grid)
    z, y, x = (grid.shape[axis] for axis in canonical.order)
    radii = None
    if annotation is not None:
        classes = canonical.apply(schema.to_classes(annotation))
        radii = inradii(classes, schema.class_count - 1, canonical.spacing_mm)
    return ScanFacts(name, (z, y, x), canonical.spacing_mm, tuple(found), radii)


def _channel_facts(volume: Volume, structures: NDArray[np.bool_] | None) -> ChannelFacts:
    measured = measured_sample(volume.array, _SAMPLE_VOXELS)
    inside = np.empty(0)
    if structures is not None:
        inside = volume.array[structures].astype(np.float64)
        inside = inside[:: max(1, len(inside) // _SAMPLE_VOXELS)]
        inside = inside[np.isfinite(inside)]
    return ChannelFacts(
        minimum=float(np.nanmin(volume.array)),
        whole_numbers=bool((measured == np.round(measured)).all()),
        measured=measured,
        in_structures=inside,
    )
