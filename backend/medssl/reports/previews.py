"""Previews of a segmentation: three planes through it and the worst slice, as readers expect to see them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medssl.imaging.canonical import Canonical
from medssl.imaging.volume import Volume
from medssl.labels import UNANNOTATED, Segment
from medssl.reports.model import Outline, Preview
from medssl.reports.outlines import trace

_Box: TypeAlias = tuple[slice, slice, slice]

_LONGEST = 320  # pixels: enough for the enlarged view, small enough for a page of hundreds of pictures
# Of one picture and of its outlines: four of them for each of 100 scans stay under 10 MB in base64.
_PICTURE_BYTES = 11_500
_OUTLINE_BYTES = 6_000
_COARSER = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
_MARGIN_MM = 12.0
_AIR_HU = -200.0


@dataclass(frozen=True)
class _View:
    """How a plane across one canonical axis (z, y, x) is laid on the screen.

    The patient's right is on the left of the picture, as in every radiology viewer; in the sagittal plane
    the face looks to the left. `edges` are left, right, top, bottom.
    """

    name: str
    axis: int
    head_up: bool
    edges: tuple[str, str, str, str]


_VIEWS = (
    _View("Axial", 0, False, ("R", "L", "A", "P")),
    _View("Coronal", 1, True, ("R", "L", "S", "I")),
    _View("Sagittal", 2, True, ("A", "P", "S", "I")),
)


@dataclass(frozen=True)
class _Scene:
    """Everything about a scan that its previews share; arrays are canonical (z, y, x) and cost no copy."""

    image: NDArray[Any]
    values: NDArray[np.uint8]
    reference: NDArray[np.uint8] | None
    spacing_mm: tuple[float, float, float]
    field: _Box
    low: float
    high: float


def make_previews(
    image: Volume,
    values: NDArray[np.uint8],
    segments: Sequence[Segment],
    *,
    reference: NDArray[np.uint8] | None = None,
    worst_slice: int | None = None,
) -> tuple[Preview, ...]:
    """Draw the axial, coronal and sagittal plane through the segmentation, and the slice to look at first.

    Pictures show the surroundings of the segmentation, or the whole scan where nothing was found.

    Args:
        image: the scan (one channel).
        values: the segmentation's label values (z, y, x) on the scan's grid.
        segments: the segments, in the order of the report.
        reference: label values to draw as dashed outlines; 255 draws nothing.
        worst_slice: index along z of the scan's own grid.
    """
    canonical = Canonical.of(image.grid)
    mine = canonical.apply(values)
    theirs = None if reference is None else canonical.apply(reference)
    array = canonical.apply(image.array)
    found = _found(mine) if theirs is None else _found(mine) | _found(theirs)
    field = _field(found, canonical.spacing_mm)
    low, high = _window(array[field], found[field])
    scene = _Scene(array, mine, theirs, canonical.spacing_mm, field, low, high)

    previews = [_draw(scene, segments, view, _telling_slice(found, view.axis)) for view in _VIEWS]
    if worst_slice is not None:
        # The worst slice counts along the file's own z axis, which may lie across any canonical axis.
        axis = canonical.order.index(0)
        size = image.array.shape[0]
        index = size - 1 - worst_slice if axis in canonical.flips else worst_slice
        previews.append(_draw(scene, segments, _VIEWS[axis], index, worst=True))
    return tuple(previews)


def _draw(
    scene: _Scene, segments: Sequence[Segment], view: _View, index: int, *, worst: bool = False
) -> Preview:
    rows, columns = (axis for axis in range(3) if axis != view.axis)
    box: list[slice | int] = list(scene.field)
    box[view.axis] = index
    at = tuple(box)

    picture = _upright(scene.image[at], view)
    grey = _to_grey(picture, scene.low, scene.high)
    height_mm = picture.shape[0] * scene.spacing_mm[rows]
    width_mm = picture.shape[1] * scene.spacing_mm[columns]
    pixels = min(grey.shape[1], _LONGEST), min(grey.shape[0], _LONGEST)
    drawn = Image.fromarray(grey).resize(pixels, Image.Resampling.BOX)

    layers = [(_upright(scene.values[at], view), False)]
    if scene.reference is not None:
        layers.insert(0, (_upright(scene.reference[at], view), True))  # under the prediction
    (width, height), outlines = _outline(layers, segments, drawn.size)
    return Preview(
        plane=view.name,
        slice_number=index + 1,
        slice_count=scene.image.shape[view.axis],
        picture=_encode(drawn),
        width=width,
        height=height,
        aspect=width_mm / height_mm,
        edges=view.edges,
        outlines=outlines,
        worst=worst,
    )


def _outline(
    layers: Sequence[tuple[NDArray[np.uint8], bool]], segments: Sequence[Segment], size: tuple[int, int]
) -> tuple[tuple[int, int], tuple[Outline, ...]]:
    """Trace the segments of label planes (rows, columns), on a coarser grid when that takes too many bytes.

    Returns the grid's (width, height) and the outlines, those of the first layer first.
    """
    grid, outlines = size, list[Outline]()
    for share in _COARSER:
        grid, outlines = (max(1, round(size[0] * share)), max(1, round(size[1] * share))), []
        drawn = [
            (np.asarray(Image.fromarray(plane).resize(grid, Image.Resampling.NEAREST)), is_reference)
            for plane, is_reference in layers
        ]
        # Tracing the speckles of a model that has learned nothing takes long, and its paths would not fit.
        if sum(_border_length(labels) for labels, _ in drawn) > _OUTLINE_BYTES:
            continue
        for labels, is_reference in drawn:
            paths = ((number, trace(labels == segment.value)) for number, segment in enumerate(segments))
            outlines += [Outline(number, path, is_reference) for number, path in paths if path]
        if sum(len(outline.path) for outline in outlines) <= _OUTLINE_BYTES:
            break
    return grid, tuple(outlines)


def _border_length(labels: NDArray[np.uint8]) -> int:
    return sum(int(np.count_nonzero(np.diff(labels, axis=axis))) for axis in (0, 1))


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


def _telling_slice(found: NDArray[np.bool_], axis: int) -> int:
    """Return the slice nearest to the segmentation's centre that still shows much of it.

    The centre itself may be empty, as between two kidneys. The middle of the scan where nothing was found.
    """
    areas = found.sum(axis=tuple(other for other in range(3) if other != axis))
    if not areas.any():
        return int(found.shape[axis] // 2)
    centre = float(np.average(np.arange(areas.size), weights=areas))
    telling = np.flatnonzero(areas >= 0.5 * areas.max())
    return int(telling[np.abs(telling - centre).argmin()])


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


def _to_grey(plane: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    if high <= low:
        return np.full(plane.shape, 96, dtype=np.uint8)
    shown = (np.nan_to_num(plane.astype(np.float64), nan=low) - low) / (high - low)
    return np.asarray(np.clip(shown, 0.0, 1.0) * 255, dtype=np.uint8)


def _upright(plane: NDArray[Any], view: _View) -> NDArray[Any]:
    return np.ascontiguousarray(plane[::-1] if view.head_up else plane)


def _encode(picture: Image.Image) -> bytes:
    """Encode as PNG if that is small enough, else as the best JPEG that is, of fewer pixels if need be."""
    content = _save(picture, "PNG", optimize=True)
    for shrink, quality in ((1, 92), (1, 84), (1, 75), (1, 66), (1, 52), (2, 75), (4, 66)):
        if len(content) <= _PICTURE_BYTES:
            break
        content = _save(picture.reduce(shrink), "JPEG", quality=quality, optimize=True)
    return content


def _save(picture: Image.Image, file_format: str, **settings: int | bool) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **settings)
    return buffer.getvalue()
