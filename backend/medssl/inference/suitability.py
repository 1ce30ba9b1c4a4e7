"""Whether a DICOM series is like the scans that a model learned from, decided from its headers alone."""

from __future__ import annotations

from collections.abc import Callable

from medssl.imaging.canonical import Canonical
from medssl.imaging.dicom import Series, series_grid
from medssl.learning.card import TrainingScans

# A network that is trained with scaled copies goes along with moderate differences, and is resampled to its
# spacing anyway; what lies further off shows other anatomy, or too little of it.
TIMES = 2.0
_ALONG = ("up-down", "front-back", "left-right")


def misfit(series: Series, learned: TrainingScans) -> str | None:
    """Say in words and numbers why a series is unlike what a model learned from; None when it is alike.

    The modality must be one of theirs; voxels may be finer, but along no axis coarser than twice the
    coarsest; the scan may be half the smallest to twice the largest along every axis.
    """
    header, grid = series.header, series_grid(series)
    if learned.modalities and header.modality not in learned.modalities:
        own = header.modality or "of no modality"
        return f"It is {own}; the model learned from {' or '.join(learned.modalities)}."
    canonical = Canonical.of(grid)
    spacing = canonical.spacing_mm
    z, y, x = (grid.shape[axis] * step for axis, step in zip(canonical.order, spacing, strict=True))
    lengths = (z, y, x)
    coarse = _first(lambda axis: spacing[axis] > TIMES * learned.coarsest_mm[axis])
    if coarse is not None:
        return (
            f"Its voxels are {spacing[coarse]:.3g} mm apart {_ALONG[coarse]}; the model learned from "
            f"{_span(learned.finest_mm[coarse], learned.coarsest_mm[coarse])} mm, and up to "
            f"{TIMES * learned.coarsest_mm[coarse]:.3g} mm fit."
        )
    other = _first(
        lambda axis: (
            not learned.smallest_mm[axis] / TIMES <= lengths[axis] <= TIMES * learned.largest_mm[axis]
        )
    )
    if other is not None:
        low, high = learned.smallest_mm[other], learned.largest_mm[other]
        return (
            f"It shows {lengths[other]:.3g} mm {_ALONG[other]}; the model learned from {_span(low, high)} "
            f"mm, and {low / TIMES:.3g} to {TIMES * high:.3g} mm fit."
        )
    return None


def _first(wrong: Callable[[int], bool]) -> int | None:
    return next((axis for axis in range(3) if wrong(axis)), None)


def _span(low: float, high: float) -> str:
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
