"""The slices of a scan to leaf through: small pictures in one sheet, the segments over them in another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medssl.labels import Segment
from medssl.reports.model import Stack
from medssl.reports.scene import VIEWS, Scene, View, saved

_BYTES = 32_000  # of both sheets of a scan: see `medssl.reports.previews` for a hundred of them
_ALL_BYTES = 10_000_000  # of all scans of a larger report, which a browser must still open
_SAMPLED = 8  # one slice of so many tells how large a sheet will be
_THICK = 1.5  # slices so much thicker than a voxel is wide are what a person knows the scan by


@dataclass(frozen=True)
class _Detail:
    """How finely to draw: pixels of a tile's longer side, most slices, and WebP's quality."""

    side: int
    slices: int
    quality: int

    def cost(self, sides: tuple[int, ...], slices: int) -> float:
        """What the sheets take, in a unit of its own, for slices of these sides."""
        return min(slices, self.slices) * math.prod(min(side, self.side) for side in sides) * self.quality


_DETAILS = (
    _Detail(144, 40, 70),
    _Detail(128, 32, 55),
    _Detail(112, 24, 45),
    _Detail(88, 20, 40),
    _Detail(64, 12, 30),
)


def share_of(scans: int) -> int:
    """How many bytes the sheets of one scan may take in a report of so many."""
    return min(_BYTES, _ALL_BYTES // max(1, scans))


def make_stack(
    scene: Scene, segments: Sequence[Segment], worst_slice: int | None = None, most_bytes: int = _BYTES
) -> Stack:
    """Draw the slices round the segmentation, axial ones or as the scan was taken where its slices are thick.

    Args:
        scene: the scan with its segmentation; a reference is not drawn.
        segments: in the order of the report.
        worst_slice: index along z of the scan's own grid: where to begin, where that lies in the same plane.
        most_bytes: what both sheets may take together; the coarsest ones may take more.
    """
    spacing = scene.canonical.spacing_mm
    view = VIEWS[int(np.argmax(spacing)) if max(spacing) > _THICK * min(spacing) else 0]
    first = scene.telling_slice(view.axis)
    if worst_slice is not None:
        worst_view, worst = scene.place_of(worst_slice)
        first = worst if worst_view == view else first
    inside = range(scene.image.shape[view.axis])[scene.field[view.axis]]
    sides = scene.plane(scene.values, view, inside[0]).shape
    # What a few slices take at the finest tells which detail may fit, so that few sheets are drawn in vain.
    few = _chosen(inside, first, _DETAILS[0].slices)[0][::_SAMPLED]
    sample = sum(map(len, _sheets(scene, view, few, _DETAILS[0], segments)))
    allowed = _DETAILS[0].cost(sides, len(few)) * most_bytes / sample
    for detail in _DETAILS[:-1]:
        cost = detail.cost(sides, len(inside))
        if cost > allowed:
            continue
        stack = _draw(scene, view, _chosen(inside, first, detail.slices), detail, segments)
        size = len(stack.sheet) + len(stack.overlay)
        if size <= most_bytes:
            return stack
        allowed = cost * most_bytes / size
    return _draw(scene, view, _chosen(inside, first, _DETAILS[-1].slices), _DETAILS[-1], segments)


def _chosen(inside: range, first: int, most: int) -> tuple[list[int], int]:
    """Choose slices at equal distances, and which of them is nearest to the one to begin with."""
    chosen = list(inside)
    if len(inside) > most:
        chosen = sorted(set(np.linspace(inside[0], inside[-1], most).round().astype(int).tolist()))
    return chosen, int(np.abs(np.array(chosen) - first).argmin())


def _draw(
    scene: Scene, view: View, chosen: tuple[list[int], int], detail: _Detail, segments: Sequence[Segment]
) -> Stack:
    slices, first = chosen
    sheet, overlay = _sheets(scene, view, slices, detail, segments)
    height_mm, width_mm = scene.size_mm(view)
    tile = _tile(scene, view, slices, detail)
    return Stack(
        plane=view.name,
        numbers=tuple(index + 1 for index in slices),
        slice_count=scene.image.shape[view.axis],
        first=first,
        sheet=sheet,
        overlay=overlay,
        columns=_columns(len(slices), tile),
        tile=tile,
        aspect=width_mm / height_mm,
        edges=view.edges,
    )


def _tile(scene: Scene, view: View, slices: Sequence[int], detail: _Detail) -> tuple[int, int]:
    """Width and height of a slice in a sheet."""
    rows, columns = scene.plane(scene.values, view, slices[0]).shape
    return min(columns, detail.side), min(rows, detail.side)


def _columns(count: int, tile: tuple[int, int]) -> int:
    """How many tiles a row has, for a sheet that is about square."""
    return math.ceil(math.sqrt(count * tile[1] / tile[0]))


def _sheets(
    scene: Scene, view: View, slices: Sequence[int], detail: _Detail, segments: Sequence[Segment]
) -> tuple[bytes, bytes]:
    """Encode the slices side by side, and the segments over them."""
    numbers = np.zeros(256, dtype=np.uint8)  # of the segments in the overlay's palette, by their values
    for number, segment in enumerate(segments, start=1):
        numbers[segment.value] = number
    tile = _tile(scene, view, slices, detail)
    planes = [scene.plane(scene.image, view, index) for index in slices]
    values = [scene.plane(scene.values, view, index) for index in slices]
    if planes[0].shape == tile[::-1]:
        grey, labels = scene.grey(np.stack(planes)), np.stack(values)
    else:  # one by one: a large scan is in memory once, not also as floats
        grey = np.stack([_resized(scene.grey(plane), tile, Image.Resampling.BOX) for plane in planes])
        labels = np.stack([_resized(plane, tile, Image.Resampling.NEAREST) for plane in values])
    across = _columns(len(slices), tile)
    sheet = Image.fromarray(_side_by_side(grey, across))
    overlay = Image.fromarray(_side_by_side(numbers[labels], across))
    overlay.putpalette([0, 0, 0, *(level for segment in segments for level in segment.colour)])
    return (
        saved(sheet, "WEBP", quality=detail.quality, method=0),
        saved(overlay, "PNG", compress_level=6, transparency=0),
    )


def _resized(plane: NDArray[np.uint8], tile: tuple[int, int], way: Image.Resampling) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(plane).resize(tile, way))


def _side_by_side(tiles: NDArray[np.uint8], across: int) -> NDArray[np.uint8]:
    """Lay tiles `(count, rows, columns)` into rows of `across`, black where there is none."""
    count, rows, columns = tiles.shape
    down = math.ceil(count / across)
    filled = np.zeros((down * across, rows, columns), np.uint8)
    filled[:count] = tiles
    laid = filled.reshape(down, across, rows, columns).swapaxes(1, 2)
    return laid.reshape(down * rows, across * columns)
