"""Voxels that cannot be computed with: NaN, infinity, and what is infinity in 32 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medssl.errors import ImageError
from medssl.words import counted

_ONE = "voxel that is not a finite number was"
_SEVERAL = "voxels that are not finite numbers were"


def make_finite(array: NDArray[Any], title: str) -> tuple[str, ...]:
    """Replace NaN and infinity in place by the smallest finite value; returns what to tell the person.

    Numbers of 64 bits that no 32 bits hold are infinite: networks compute in 32.

    Args:
        array: (z, y, x).
        title: names the scan in messages.

    Raises:
        ImageError: half of the voxels or more are not finite.
    """
    if array.dtype.kind != "f":
        return ()
    # Slice by slice: a mask of a whole volume would be another large array.
    bad = sum(int(plane.size - np.count_nonzero(_is_finite(plane))) for plane in array)
    if bad == 0:
        return ()
    if 2 * bad >= array.size:
        raise ImageError(
            f"{title} holds {bad} voxels of {array.size} that are not finite numbers (NaN, infinity or "
            "beyond 3.4e+38).",
            "Export it again; fewer than half may be so.",
        )
    lowest = min(float(plane[_is_finite(plane)].min(initial=np.inf)) for plane in array)
    for plane in array:
        plane[~_is_finite(plane)] = lowest
    return (f"{title}: {counted(bad, _ONE, _SEVERAL)} read as the smallest value, {lowest:g}.",)


def _is_finite(plane: NDArray[Any]) -> NDArray[np.bool_]:
    # A comparison with NaN is false.
    within: NDArray[np.bool_] = np.abs(plane) <= np.finfo(np.float32).max
    return within
