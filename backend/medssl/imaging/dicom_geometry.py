"""Putting the slices of a DICOM series together into one grid, or saying why they make none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medssl.errors import ImageError
from medssl.imaging.dicom_files import Slice, damaged
from medssl.imaging.volume import Grid

# Scanners round positions to a few hundredths of a millimetre.
_STEP_TOLERANCE = 0.02  # of the step between slices
_STEP_TOLERANCE_MM = 0.02
_COSINE_TOLERANCE = 1e-3
_SHEAR_LIMIT = 0.01  # sideways shift a step, in parts of the step: half a degree
_EXPORT = "Export the series again with all its slices, or convert it with 3D Slicer and use that file."


def stack(slices: Sequence[Slice]) -> tuple[Grid, list[Slice]]:
    """Sort slices along their normal and find the grid that all of their voxels lie on.

    Raises:
        ImageError: they are no volume: colours, several frames, no positions, a single slice, several sizes,
            directions or volumes, missing slices, uneven steps, a tilted gantry, an incomplete file.
    """
    where = f"The series '{slices[0].description or slices[0].series_uid}' in {slices[0].path.parent}"
    _check_kinds(slices, where)
    orientation = _numbers(slices[0].orientation)
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    positions = np.array([_numbers(part.position_mm) for part in slices])
    order = np.argsort(positions @ normal, kind="stable")
    ordered = [slices[int(i)] for i in order]
    positions = positions[order]
    heights = positions @ normal
    step = _check_steps(heights, where)
    _check_shear(positions, normal, step, where)
    along_row, along_column = _spacing(ordered[0])
    x, y, z = positions[0].tolist()
    grid = Grid(
        size=(*ordered[0].size, len(ordered)),
        spacing_mm=(along_row, along_column, step),
        origin_mm=(x, y, z),
        direction=tuple(np.stack([row, column, normal], axis=1).ravel().tolist()),
    )
    return grid, ordered


def _check_kinds(slices: Sequence[Slice], where: str) -> None:
    first = slices[0]
    if first.modality == "SEG":
        raise ImageError(f"{where} is a segmentation, not a scan.", "Choose the series that it belongs to.")
    if any(part.frames > 1 for part in slices):
        raise ImageError(
            f"{where} keeps {first.frames} frames in one file.",
            "Convert it to NIfTI or NRRD, for instance with 3D Slicer.",
        )
    if any(part.samples != 1 for part in slices):
        raise ImageError(f"{where} holds colour pictures, not a scan.", "Choose another series.")
    if any(None in (part.position_mm, part.orientation, part.spacing_mm) for part in slices):
        raise ImageError(
            f"{where} does not say where its slices lie, as screenshots and scanned pages do not.",
            "Choose another series.",
        )
    if len(slices) < 2:
        raise ImageError(f"{where} has a single slice.", "Use a series of at least two slices.")
    sizes = sorted({part.size for part in slices})
    if len(sizes) > 1:
        shown = ", ".join(f"{x} x {y}" for x, y in sizes)
        raise ImageError(f"{where} has slices of different sizes: {shown}.", _EXPORT)
    spacings = np.array([_numbers(part.spacing_mm) for part in slices])
    if spacings.min() <= 0 or np.ptp(spacings, axis=0).max() > 1e-4 * spacings.max():
        raise ImageError(
            f"{where} has pixels of different sizes: {spacings.min():g} to {spacings.max():g} mm.", _EXPORT
        )
    orientations = np.array([_numbers(part.orientation) for part in slices])
    if np.ptp(orientations, axis=0).max() > _COSINE_TOLERANCE:
        raise ImageError(
            f"{where} has slices in different directions, as an overview for planning has.",
            "Choose another series.",
        )
    row, column = orientations[0, :3], orientations[0, 3:]
    lengths = np.linalg.norm([row, column], axis=1)
    if abs(row @ column) > _COSINE_TOLERANCE or np.abs(lengths - 1).max() > _COSINE_TOLERANCE:
        raise ImageError(
            f"{where} has a singular direction: its rows and columns are not at right angles.", _EXPORT
        )
    for part in slices:
        if not part.complete:
            raise damaged(part)


def _check_steps(heights: NDArray[np.float64], where: str) -> float:
    """Return the even step between slices in mm, or refuse with the numbers."""
    steps = np.diff(heights)
    apart = steps[steps > _STEP_TOLERANCE_MM]
    places = len(apart) + 1
    if places < len(heights):
        if places > 1 and len(heights) % places == 0:
            raise ImageError(
                f"{where} holds {len(heights) // places} volumes at the same place, each of {places} slices.",
                "Export each time point or contrast as a series of its own.",
            )
        raise ImageError(f"{where} has {len(heights)} slices at only {places} different places.", _EXPORT)
    usual = float(np.median(steps))
    tolerance = max(_STEP_TOLERANCE * usual, _STEP_TOLERANCE_MM)
    if np.abs(steps - usual).max() <= tolerance:
        return float((heights[-1] - heights[0]) / len(steps))
    times = np.rint(steps / usual)
    if (times >= 1).all() and np.abs(steps - times * usual).max() <= tolerance * times.max():
        gap = int(steps.argmax())
        raise ImageError(
            f"{where} misses {int((times - 1).sum())} slices: they are {usual:.4g} mm apart, but "
            f"{steps[gap]:.4g} mm after slice {gap + 1} of {len(heights)}.",
            _EXPORT,
        )
    raise ImageError(
        f"{where} has uneven steps between its slices, from {steps.min():.4g} to {steps.max():.4g} mm.",
        "Resample it to even steps, for instance with 3D Slicer, and use that file.",
    )


def _check_shear(
    positions: NDArray[np.float64], normal: NDArray[np.float64], step: float, where: str
) -> None:
    """Refuse slices that shift sideways from one to the next."""
    sideways = positions[-1] - positions[0]
    sideways = sideways - (sideways @ normal) * normal
    tangent = float(np.linalg.norm(sideways)) / (step * (len(positions) - 1))
    if tangent > _SHEAR_LIMIT:
        raise ImageError(
            f"{where} was taken with a gantry tilted by {np.degrees(np.arctan(tangent)):.1f} degrees.",
            "Load it in 3D Slicer, which straightens it, and save the volume as NRRD.",
        )


def _spacing(part: Slice) -> tuple[float, float]:
    """Return the distances along a row and along a column; DICOM gives them the other way round."""
    rows_apart, columns_apart = _numbers(part.spacing_mm).tolist()
    return columns_apart, rows_apart


def _numbers(values: tuple[float, ...] | None) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
