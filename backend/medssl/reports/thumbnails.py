"""A small picture of a case for a list: one slice, with the outlines of its segments."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medssl.imaging.canonical import Canonical
from medssl.imaging.volume import Volume
from medssl.labels import Segment

SIDE = 160  # pixels of the longer side; sharp at half of that on a screen with many
_THICK = 1.5  # slices so much thicker than a voxel is wide are what a person knows the scan by


def make_thumbnail(image: Volume, values: NDArray[np.uint8] | None, segments: Sequence[Segment]) -> bytes:
    """Draw a slice as PNG.

    It is an axial one, or one as the scan was taken where its slices are thick: the one in which most is
    segmented, else the middle one. The patient's right is on the left, the head or the front is up.

    Args:
        image: the scan (one channel).
        values: label values (z, y, x) on the scan's grid; None without any.
        segments: what to outline, in their colors.
    """
    canonical = Canonical.of(image.grid)
    spacing = canonical.spacing_mm
    axis = int(np.argmax(spacing)) if max(spacing) > _THICK * min(spacing) else 0
    array = canonical.apply(image.array)
    labels = None if values is None else np.isin(values, [s.value for s in segments]) * values
    shown = None if labels is None else canonical.apply(labels)
    index = array.shape[axis] // 2
    if shown is not None and shown.any():
        others = tuple(other for other in range(3) if other != axis)
        index = int(np.count_nonzero(shown, axis=others).argmax())
    plane = _upright(array.take(index, axis), axis)
    rows_mm, columns_mm = (spacing[other] for other in range(3) if other != axis)
    height, width = plane.shape[0] * rows_mm, plane.shape[1] * columns_mm
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    drawn = Image.fromarray(_grey(plane)).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    if shown is None:
        return _png(drawn)
    layer = Image.fromarray(_upright(shown.take(index, axis), axis)).resize(size, Image.Resampling.NEAREST)
    return _png(Image.fromarray(_outlined(np.array(drawn), np.asarray(layer), segments)))


def _upright(plane: NDArray[Any], axis: int) -> NDArray[Any]:
    # Canonical axes run to the head, the back and the left: all but axial slices stand on their head.
    return np.ascontiguousarray(plane if axis == 0 else plane[::-1])


def _grey(plane: NDArray[Any]) -> NDArray[np.uint8]:
    finite = plane[np.isfinite(plane)]
    if finite.size == 0 or finite.min() == finite.max():
        return np.full(plane.shape, 96, dtype=np.uint8)
    low, high = (float(value) for value in np.percentile(finite, (1, 99)))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    values = np.nan_to_num(plane.astype(np.float64), nan=low)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1) * 255, dtype=np.uint8)


def _outlined(
    picture: NDArray[np.uint8], labels: NDArray[np.uint8], segments: Sequence[Segment]
) -> NDArray[np.uint8]:
    for segment in segments:
        inside = labels == segment.value
        padded = np.pad(inside, 1)
        core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        picture[inside & ~core] = segment.colour
    return picture


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
