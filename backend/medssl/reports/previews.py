"""Previews of a segmentation: three planes through it and the worst slice, as readers expect to see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medssl.labels import Segment
from medssl.reports.model import Outline, Preview
from medssl.reports.outlines import trace
from medssl.reports.scene import VIEWS, Scene, View, saved

_LONGEST = 320  # pixels: enough for the enlarged view, small enough for a page of hundreds of pictures
# Of one picture and of its outlines: with the slices of `medssl.reports.stacks`, four of them for each of 100
# scans stay under 10 MB in base64.
_PICTURE_BYTES = 9_000
_OUTLINE_BYTES = 4_000
_COARSER = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)


def make_previews(
    scene: Scene, segments: Sequence[Segment], worst_slice: int | None = None
) -> tuple[Preview, ...]:
    """Draw the axial, coronal and sagittal plane through the segmentation, and the slice to look at first.

    Pictures show the surroundings of the segmentation, or the whole scan where nothing was found.

    Args:
        scene: the scan with its segmentation, and a reference to draw as dashed outlines.
        segments: the segments, in the order of the report.
        worst_slice: index along z of the scan's own grid.
    """
    previews = [_draw(scene, segments, view, scene.telling_slice(view.axis)) for view in VIEWS]
    if worst_slice is not None:
        previews.append(_draw(scene, segments, *scene.place_of(worst_slice), worst=True))
    return tuple(previews)


def _draw(
    scene: Scene, segments: Sequence[Segment], view: View, index: int, *, worst: bool = False
) -> Preview:
    grey = scene.grey(scene.plane(scene.image, view, index))
    height_mm, width_mm = scene.size_mm(view)
    pixels = min(grey.shape[1], _LONGEST), min(grey.shape[0], _LONGEST)
    drawn = Image.fromarray(grey).resize(pixels, Image.Resampling.BOX)

    layers = [(scene.plane(scene.values, view, index), False)]
    if scene.reference is not None:
        layers.insert(0, (scene.plane(scene.reference, view, index), True))  # under the prediction
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


def _encode(picture: Image.Image) -> bytes:
    """Encode as PNG if that is small enough, else as the best JPEG that is, of fewer pixels if need be."""
    content = saved(picture, "PNG", optimize=True)
    for shrink, quality in ((1, 92), (1, 84), (1, 75), (1, 66), (1, 52), (2, 75), (4, 66)):
        if len(content) <= _PICTURE_BYTES:
            break
        content = saved(picture.reduce(shrink), "JPEG", quality=quality, optimize=True)
    return content
