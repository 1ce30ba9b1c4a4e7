"""Cleaning a segmentation of what cannot belong to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medssl.labels import BACKGROUND, LabelSchema

# Faces, edges and corners: thin oblique parts hold together.
_NEIGHBOURS = ndimage.generate_binary_structure(3, 3)


def keep_largest(values: NDArray[np.uint8], schema: LabelSchema) -> NDArray[np.uint8]:
    """Remove all but the largest connected component of every segment that asks for it.

    Args:
        values: `(z, y, x)` label values; not changed.
        schema: says which segments are one piece.

    Returns:
        The cleaned label values; the array itself when no segment asks.
    """
    single = [segment.value for segment in schema.segments if segment.largest_component]
    if not single:
        return values
    cleaned = values.copy()
    # The part that holds any label is found once: a scan is mostly background.
    boxes = ndimage.find_objects(values, max_label=max(single))
    for value in single:
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is None:
            continue
        inside = values[box]
        pieces, count = ndimage.label(inside == value, structure=_NEIGHBOURS)
        if count < 2:
            continue
        # Slice by slice: numpy counts and compares in 64 bits, which for a large scan would be gigabytes.
        sizes = sum(np.bincount(plane.ravel(), minlength=count + 1) for plane in pieces)
        largest = int(np.argmax(np.asarray(sizes)[1:])) + 1
        for plane, found in zip(cleaned[box], pieces, strict=True):
            plane[(found != 0) & (found != largest)] = BACKGROUND
    return cleaned
