"""Series of a tilted CT gantry: slices that shift sideways from one to the next, brought onto straight axes.

The slices are parallel, so that slice k of the straight volume lies in the plane of slice k of the series,
and only a shift within the plane lies between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medssl.imaging.volume import Grid


@dataclass(frozen=True)
class Tilt:
    """How the slices lie on their straight grid.

    Attributes:
        degrees: of the gantry.
        size: columns and rows of the slices themselves; the straight grid is larger.
        shifts: where the first pixel of each slice lies on the straight grid, in pixels (column, row), >= 0.
    """

    degrees: float
    size: tuple[int, int]
    shifts: tuple[tuple[float, float], ...]


def straightened(grid: Grid, positions: NDArray[np.float64], degrees: float) -> tuple[Grid, Tilt]:
    """Find the straight grid that holds all slices.

    Args:
        grid: as if the slices lay above the first.
        positions: (n, 3) of the slices, LPS millimetres.
        degrees: of the gantry.
    """
    axes = np.array(grid.direction).reshape(3, 3)[:, :2]
    shifts = (positions - positions[0]) @ axes / np.array(grid.spacing_mm[:2])
    lowest = shifts.min(axis=0)
    longer = np.ceil(np.ptp(shifts, axis=0) - 1e-6).astype(int)
    origin = np.array(grid.origin_mm) + axes @ (lowest * np.array(grid.spacing_mm[:2]))
    x, y, z = origin.tolist()
    columns, rows, slices = grid.size
    straight = Grid(
        size=(columns + int(longer[0]), rows + int(longer[1]), slices),
        spacing_mm=grid.spacing_mm,
        origin_mm=(x, y, z),
        direction=grid.direction,
    )
    found = tuple((float(u), float(v)) for u, v in shifts - lowest)
    return straight, Tilt(degrees, (columns, rows), found)


def straighten(slices: NDArray[Any], tilt: Tilt, grid: Grid) -> NDArray[Any]:
    """Bring slices (z, y, x) onto the straight grid, by linear interpolation; the smallest value around."""
    lowest = slices.min()
    straight = np.full(grid.shape, lowest, dtype=slices.dtype)
    for target, plane, (column, row) in zip(straight, slices, tilt.shifts, strict=True):
        framed = np.full(target.shape, lowest, dtype=np.float32)
        framed[: plane.shape[0], : plane.shape[1]] = plane
        moved = _shifted(_shifted(framed, row, float(lowest)).T, column, float(lowest)).T
        target[...] = np.rint(moved) if slices.dtype.kind in "iu" else moved
    return straight


def tilt_back(straight: NDArray[Any], tilt: Tilt) -> NDArray[Any]:
    """Take from a volume (z, y, x) on the straight grid, for each pixel of the slices, the nearest voxel."""
    columns, rows = tilt.size
    cut = []
    for plane, (column, row) in zip(straight, tilt.shifts, strict=True):
        left, top = round(column), round(row)
        cut.append(plane[top : top + rows, left : left + columns])
    return np.stack(cut)


def _shifted(plane: NDArray[np.float32], rows: float, outside: float) -> NDArray[np.float32]:
    """Move a plane down by so many rows, a number of 0 or more, by linear interpolation."""
    whole, part = divmod(rows, 1.0)
    padded = np.pad(plane, ((int(whole) + 1, 0), (0, 0)), constant_values=outside)
    upper, lower = padded[: len(plane)], padded[1 : len(plane) + 1]
    return np.asarray(part * upper + (1 - part) * lower, dtype=np.float32)
