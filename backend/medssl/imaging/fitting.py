"""Bringing a label map onto the grid of its scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medssl.errors import GridError
from medssl.imaging.itk import array_of, image_of
from medssl.imaging.volume import Grid, Volume
from medssl.labels import BACKGROUND, UNANNOTATED
from medssl.words import counted

_VOXEL_TOLERANCE = 0.01  # how far a voxel may lie from its place, in voxels, to count as in its place
_INSIDE_AT_LEAST = 0.95  # of the labelled voxels, so that a label map plainly belongs to the scan


def fit_to_grid(
    labels: Volume, scan: Grid, where: str, beyond: int = BACKGROUND, target: str = "scan"
) -> Volume:
    """Return the label values on the scan's own grid, with notes on what a person should know of the way.

    The same grid: as they are. A part of the same grid, in any axis order, as 3D Slicer saves segmentations:
    each voxel is put exactly in its place. Another grid at the same place in the patient: the nearest voxel.

    Args:
        labels: uint8 label values.
        scan: the grid they are wanted on.
        where: names the file in messages.
        beyond: the value where the label map does not reach.
        target: what the grid belongs to, in messages.

    Raises:
        GridError: the label map plainly belongs to another scan, since its labels lie outside this one; or a
            program has lost its spacing or its origin, so that nobody knows where it lies.
    """
    if labels.grid.agrees_with(scan):
        return replace(labels, array=np.asarray(labels.array, dtype=np.uint8), grid=scan)
    outside = _check_inside(labels, scan, where, target)
    _check_spacing(labels.grid, scan, where, target)
    notes = list(labels.notes)
    if moved := _check_origin(labels.grid, scan, where, target):
        notes.append(moved)
    if outside:
        what = counted(outside, "labelled voxel lies", "labelled voxels lie")
        notes.append(
            f"{where}: {what} outside the {target} and {'was' if outside == 1 else 'were'} left out."
        )
    step = _exact_step(labels.grid, scan)
    if step is not None:
        values = _place(np.asarray(labels.array, dtype=np.uint8), step, scan, beyond)
    else:
        notes.append(
            f"{where}: its voxels do not lie on the {target}'s, each of which got the nearest one's label."
        )
        values = _resample(labels, scan, beyond)
    return Volume(values, scan, tuple(notes))


def on_same_voxels(labels: Volume, scan: Grid) -> NDArray[np.uint8] | None:
    """Return the label values on a grid of the very same voxels, stored in whatever axis order and direction.

    Args:
        labels: uint8 label values.
        scan: the grid they are wanted on.

    Returns:
        (z, y, x); None where the grids have other voxels, if only some.
    """
    values = np.asarray(labels.array, dtype=np.uint8)
    if labels.grid.agrees_with(scan):
        return values
    step = _exact_step(labels.grid, scan)
    if step is None:
        return None
    first, last = _box(labels.grid, step)
    same = (first == 0).all() and (last == np.array(scan.size) - 1).all()
    return _place(values, step, scan, UNANNOTATED) if same else None


def grown(grid: Grid, other: Grid) -> Grid | None:
    """Return a grid with as many voxels more on each side as it takes to hold all of another one.

    Returns:
        `grid` itself where it holds the other already; None where the other's voxels do not fall on its
        voxels, or both have none in common, so that nothing says that they belong together.
    """
    step = _exact_step(other, grid)
    if step is None:
        return None
    first, last = _box(other, step)
    end = np.array(grid.size) - 1
    if (first > end).any() or (last < 0).any():
        return None
    if (first >= 0).all() and (last <= end).all():
        return grid
    first, last = np.minimum(first, 0), np.maximum(last, end)
    columns, rows, slices = (last - first + 1).tolist()
    x, y, z = (grid.matrix @ [*first, 1])[:3].tolist()
    return replace(grid, size=(columns, rows, slices), origin_mm=(x, y, z))


def _resample(labels: Volume, scan: Grid, beyond: int) -> NDArray[np.uint8]:
    resampled = sitk.Resample(
        image_of(labels.array, labels.grid),
        scan.size,
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        scan.origin_mm,
        scan.spacing_mm,
        scan.direction,
        beyond,
        sitk.sitkUInt8,
    )
    return np.asarray(array_of(resampled), dtype=np.uint8)


def _exact_step(labels: Grid, scan: Grid) -> NDArray[np.int_] | None:
    """The map (4, 4) from a label map's voxel indices (x, y, z) to the scan's, if voxels fall on voxels."""
    step = np.linalg.inv(scan.matrix) @ labels.matrix
    whole = np.rint(step)
    farthest = np.abs(step - whole)[:3] @ np.array([*labels.size, 1.0])
    axes = np.abs(whole[:3, :3])
    is_permutation = bool((axes.sum(0) == 1).all() and (axes.sum(1) == 1).all())
    return whole.astype(int) if is_permutation and farthest.max() <= _VOXEL_TOLERANCE else None


def _box(labels: Grid, step: NDArray[np.int_]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """The first and the last voxel (x, y, z) on the scan of a label map's grid, with its `_exact_step`."""
    ends = np.array([[0, 0, 0], np.array(labels.size) - 1]) @ step[:3, :3].T + step[:3, 3]
    return ends.min(axis=0), ends.max(axis=0)


def _place(values: NDArray[np.uint8], step: NDArray[np.int_], scan: Grid, beyond: int) -> NDArray[np.uint8]:
    """Put a label map of the same voxels, cropped or with other axes, in its place on the scan's grid."""
    turn = step[:3, :3]
    # The scan's axis i runs along the label map's axis source[i]; both ordered x, y, z.
    source = np.abs(turn).argmax(axis=1)
    moved = values.transpose([2 - int(source[2 - axis]) for axis in range(3)])
    start = step[:3, 3].copy()
    for axis in range(3):
        if turn[axis, source[axis]] < 0:
            moved = np.flip(moved, 2 - axis)
            start[axis] -= moved.shape[2 - axis] - 1
    placed = np.full(scan.shape, beyond, dtype=np.uint8)
    first = [int(n) for n in start[::-1]]
    to = tuple(slice(max(0, f), max(0, f + n)) for f, n in zip(first, moved.shape, strict=True))
    taken = tuple(
        slice(max(0, -f), max(0, min(n, whole - f)))
        for f, n, whole in zip(first, moved.shape, scan.shape, strict=True)
    )
    placed[to] = moved[taken]
    return placed


def _check_spacing(labels: Grid, scan: Grid, where: str, target: str) -> None:
    """Refuse a label map of the scan's very voxels whose spacing became that of programs that know of none.

    It mostly lies inside the scan, and resampled there it would be small and in the wrong place.
    """
    lost = labels.spacing_mm == (1.0, 1.0, 1.0) and np.array_equal(
        np.abs(labels.direction), np.eye(3).ravel()
    )
    if lost and labels.size == scan.size and not np.allclose(scan.spacing_mm, 1.0, rtol=0, atol=0.01):
        raise GridError(
            f"{where} has as many voxels as its {target} but seems to have lost their size: "
            f"the label map has {_describe(labels)}; the {target} has {_describe(scan)}.",
            f"Save the label map again with the {target}'s geometry.",
        )


def _check_origin(labels: Grid, scan: Grid, where: str, target: str) -> str | None:
    """Refuse a label map of the scan's very voxels that begins at 0, as programs write that know no place.

    Returns:
        What to tell of one that is elsewhere in another way; None where both are at one place.
    """
    if labels.size != scan.size or not np.allclose(labels.spacing_mm, scan.spacing_mm, rtol=0.001):
        return None
    middle = np.array([*(np.array(scan.size) - 1) / 2, 1.0])
    shift = (np.linalg.inv(scan.matrix) @ labels.matrix @ middle - middle)[:3]
    if np.abs(shift).max() <= 0.5:
        return None
    where_to = ", ".join(f"{n:.3g}" for n in shift)
    both = f"the label map has {_describe(labels)}; the {target} has {_describe(scan)}"
    if not any(labels.origin_mm):
        raise GridError(
            f"{where} has as many voxels as its {target}, of the same size, but seems to have lost its "
            f"origin: there, its labels would be ({where_to}) voxels off; {both}.",
            f"Save the label map again with the {target}'s geometry.",
        )
    return (
        f"{where}: it has as many voxels as the {target}, of the same size, but lies ({where_to}) voxels "
        f"(x, y, z) beside it; {both}."
    )


def _check_inside(labels: Volume, scan: Grid, where: str, target: str) -> int:
    """Refuse a label map whose labels, or whose whole grid when it is empty, do not lie in the scan.

    Returns:
        How many voxels of segments lie outside.
    """
    step = np.linalg.inv(scan.matrix) @ labels.grid.matrix
    highest = np.array(scan.size) - 0.5 + _VOXEL_TOLERANCE
    inside, total, lost = 0, 0, 0
    # Plane by plane, and in 32 bits: the coordinates of a large organ's voxels would be gigabytes.
    for z, plane in enumerate(labels.array):
        y, x = np.nonzero(plane)
        places = np.stack([x, y, np.full_like(x, z)]).astype(np.float32)
        places = step[:3, :3].astype(np.float32) @ places + step[:3, 3:].astype(np.float32)
        within = (places > -0.5 - _VOXEL_TOLERANCE) & (places < highest[:, None])
        kept = within.all(axis=0)
        inside += int(np.count_nonzero(kept))
        total += len(x)
        lost += int(np.count_nonzero(plane[y, x][~kept] != UNANNOTATED))
    if total == 0:
        middle = step @ np.array([*(np.array(labels.grid.size) - 1) / 2, 1.0])
        inside, total = int((middle[:3] > -0.5).all() and (middle[:3] < highest).all()), 1
    if inside >= _INSIDE_AT_LEAST * total:
        return lost
    raise GridError(
        f"{where} does not lie on its {target}: {inside / total:.0%} of its labels are inside. "
        f"The label map has {_describe(labels.grid)}; the {target} has {_describe(scan)}.",
        "Check that both belong together; if they do, save the label map again with the geometry of the "
        f"{target}.",
    )


def _describe(grid: Grid) -> str:
    def by(numbers: tuple[float, ...]) -> str:
        return " x ".join(f"{n:.6g}" for n in numbers)

    origin = ", ".join(f"{n:.6g}" for n in grid.origin_mm)
    axes = ", ".join(f"{n:.3g}" for n in grid.direction)
    return f"{by(grid.size)} voxels of {by(grid.spacing_mm)} mm, origin ({origin}) mm, directions ({axes})"
