"""What every picture of one scan shares: upright planes, the part that matters, and the grey levels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medssl.imaging.canonical import Canonical
from medssl.imaging.volume import Volume
from medssl.labels import UNANNOTATED

_Box: TypeAlias = tuple[slice, slice, slice]

_MARGIN_MM = 12.0
_AIR_HU = -200.0


@dataclass(frozen=True)
class View:
    """How a plane across one canonical axis (z, y, x) is laid on the screen.

    The patient's right is on the left of the picture, as in every radiology viewer; in the sagittal plane
    the face looks to the left. `edges` are left, right, top, bottom.
    """

    name: str
    axis: int
    head_up: bool
    edges: tuple[str, str, str, str]

    def upright(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Turn a plane of a canonical array as a person expects it."""
        return np.ascontiguousarray(plane[::-1] if self.head_up else plane)


VIEWS = (
    View("Axial", 0, False, ("R", "L", "A", "P")),
    View("Coronal", 1, True, ("R", "L", "S", "I")),
    View("Sagittal", 2, True, ("A", "P", "S", "I")),
)


@dataclass(frozen=True)
class Scene:
    """Everything about a scan that its pictures share; arrays are canonical (z, y, x) and cost no copy.

    Attributes:
        canonical: how the scan's axes were turned.
        image: the scan.
        values: label values of the segmentation.
        reference: label values to compare with, or None.
        found: where any segment is, in either.
        field: the box to show: the surroundings of the segmentation, or the whole scan where there is none.
        low: the intensity to show as black.
        high: the one to show as white.
    """

    canonical: Canonical
    image: NDArray[Any]
    values: NDArray[np.uint8]
    reference: NDArray[np.uint8] | None
    found: NDArray[np.bool_]
    field: _Box
    low: float
    high: float

    @classmethod
    def of(
        cls, image: Volume, values: NDArray[np.uint8], reference: NDArray[np.uint8] | None = None
    ) -> Scene:
        """Set the scene for a scan (one channel).

        Args:
            image: the scan.
            values: the segmentation's label values (z, y, x) on the scan's grid.
            reference: label values to compare with; 255 draws nothing.
        """
        canonical = Canonical.of(image.grid)
        mine = canonical.apply(values)
        theirs = None if reference is None else canonical.apply(reference)
        array = canonical.apply(image.array)
        found = _found(mine) if theirs is None else _found(mine) | _found(theirs)
        field = _field(found, canonical.spacing_mm)
        low, high = _window(array[field], found[field])
        return cls(canonical, array, mine, theirs, found, field, low, high)

    def place_of(self, slice_index: int) -> tuple[View, int]:
        """Find the plane and the index in it of a slice of the scan's own z axis, which may lie anywhere."""
        axis = self.canonical.order.index(0)
        last = self.image.shape[axis] - 1
        return VIEWS[axis], last - slice_index if axis in self.canonical.flips else slice_index

    def plane(self, array: NDArray[Any], view: View, index: int) -> NDArray[Any]:
        """Cut the part to show out of a slice, upright."""
        box: list[slice | int] = list(self.field)
        box[view.axis] = index
        return view.upright(array[tuple(box)])

    def size_mm(self, view: View) -> tuple[float, float]:
        """Height and width of the part to show."""
        rows, columns = (axis for axis in range(3) if axis != view.axis)
        spacing = self.canonical.spacing_mm
        height = len(range(self.image.shape[rows])[self.field[rows]]) * spacing[rows]
        return height, len(range(self.image.shape[columns])[self.field[columns]]) * spacing[columns]

    def grey(self, plane: NDArray[Any]) -> NDArray[np.uint8]:
        """Turn intensities into grey levels."""
        if self.high <= self.low:
            return np.full(plane.shape, 96, dtype=np.uint8)
        shown = plane.astype(np.float32)
        shown[np.isnan(shown)] = self.low
        shown -= self.low
        shown *= 255 / (self.high - self.low)
        return np.asarray(shown.clip(0, 255), dtype=np.uint8)

    def telling_slice(self, axis: int) -> int:
        """Return the slice nearest to the segmentation's centre that still shows much of it.

        The centre itself may be empty, as between two kidneys. The middle of the scan where there is none.
        """
        areas = self.found.sum(axis=tuple(other for other in range(3) if other != axis))
        if not areas.any():
            return int(self.found.shape[axis] // 2)
        centre = float(np.average(np.arange(areas.size), weights=areas))
        telling = np.flatnonzero(areas >= 0.5 * areas.max())
        return int(telling[np.abs(telling - centre).argmin()])


def saved(picture: Image.Image, file_format: str, **settings: int | bool) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **settings)
    return buffer.getvalue()


def _found(values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((values != 0) & (values != UNANNOTATED))


def _field(found: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> _Box:
    """Return the box to show: a cube in millimetres round the segmentation, cut at the scan's borders."""
    bounds = []
    for axis in range(3):
        inside = np.flatnonzero(found.any(axis=tuple(other for other in range(3) if other != axis)))
        if inside.size == 0:
            return slice(None), slice(None), slice(None)
        bounds.append((int(inside[0]), int(inside[-1]) + 1))
    extents = [(stop - start) * mm for (start, stop), mm in zip(bounds, spacing_mm, strict=True)]
    half_mm = 0.65 * max(extents) + _MARGIN_MM
    sides = []
    for (start, stop), mm, size in zip(bounds, spacing_mm, found.shape, strict=True):
        middle, half = (start + stop) / 2, half_mm / mm
        sides.append(slice(max(int(middle - half), 0), min(int(np.ceil(middle + half)), size)))
    return sides[0], sides[1], sides[2]


def _window(shown: NDArray[Any], found: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the intensities to show as black and white: what is shown decides, not one bright outlier."""
    stride = max(1, round((shown.size / 200_000) ** (1 / 3)))  # percentiles of a sample are as good
    sparse = (slice(None, None, stride),) * 3
    sample, inside = shown[sparse].astype(np.float64), found[sparse]
    finite = np.isfinite(sample)
    inside, sample = inside[finite], sample[finite]
    if sample.size == 0:
        return 0.0, 1.0
    if sample.min() < -500 and inside.any() and np.median(sample[inside]) > _AIR_HU:
        # CT of soft tissue: air would take most of the grey levels.
        sample = sample[sample > _AIR_HU]
    low, high = np.percentile(sample, (0.5, 99.5))
    return float(low), float(high + 0.05 * (high - low))
