"""Putting the slices of a DICOM series together into one grid, or saying why they make none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medssl.errors import ImageError
from medssl.imaging.dicom_slices import Plane, Slice
from medssl.imaging.dicom_tilt import Tilt, straightened
from medssl.imaging.headers import EXPORT_AGAIN
from medssl.imaging.volume import Grid
from medssl.words import counted

# Scanners round positions to a few hundredths of a millimetre.
_STEP_TOLERANCE = 0.02  # of the step between slices
_STEP_TOLERANCE_MM = 0.02
_ROUNDED_AT_MOST = 0.25  # of a pixel or a step: where voxels are as small as micro-CT's, that is less
_COSINE_TOLERANCE = 1e-3
_SHEAR_LIMIT = 0.01  # sideways shift a step, in parts of the step: half a degree
_EXPORT = "Export the series again with all its slices, or convert it with 3D Slicer and use that file."
_LARGEST_MM = 1000.0  # of a pixel: beyond it somebody wrote nonsense
_NO_SCAN = {
    "LOCALIZER": "is an overview for planning",
    "PROJECTION IMAGE": "is a projection",
    "MIP": "is a projection",
    "MIN_IP": "is a projection",
}


class NotAScanError(ImageError):
    """A series that never was a scan of three dimensions: an overview, a picture, a segmentation."""


@dataclass(frozen=True)
class Placed:
    """One slice of a stack: its file, which of the file's frames it is (from 0), and where it lies."""

    file: Path
    frame: int
    plane: Plane


@dataclass(frozen=True)
class Stack:
    """Slices in their order along the normal, and the grid that they are read on.

    `tilt` says how they are shifted sideways against that grid, when the gantry was tilted.
    """

    placed: tuple[Placed, ...]
    grid: Grid
    tilt: Tilt | None


def stack(slices: Sequence[Slice], title: str, of_slice: str) -> Stack:
    """Sort slices along their normal and find the grid that all of their voxels lie on.

    Args:
        slices: of one series.
        title: names the series in messages.
        of_slice: names one slice in messages, with `{file}` and `{number}` to be filled in.

    Raises:
        NotAScanError: colours, no positions, a single slice, several directions, an overview, a projection.
        ImageError: several patients, sizes or volumes, missing slices, uneven steps, an incomplete file.
    """
    _check_kinds(slices, title)
    found = [Placed(part.path, number, plane) for part in slices for number, plane in enumerate(part.planes)]
    _check_planes([one.plane for one in found], title)
    for part in slices:
        if not part.complete:
            which = of_slice.format(file=part.path, number=part.image_number)
            raise ImageError(f"{which} is incomplete: it ends before its last pixel.", EXPORT_AGAIN)
    orientation = _numbers(found[0].plane.orientation)
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    positions = np.array([_numbers(one.plane.position_mm) for one in found])
    order = np.argsort(positions @ normal, kind="stable")
    placed = tuple(found[int(i)] for i in order)
    positions = positions[order]
    rows_apart, columns_apart = _numbers(placed[0].plane.spacing_mm).tolist()
    step = _check_steps(positions @ normal, min(rows_apart, columns_apart), title)
    x, y, z = positions[0].tolist()
    grid = Grid(
        size=(*slices[0].size, len(placed)),
        spacing_mm=(columns_apart, rows_apart, step),  # DICOM gives them the other way round
        origin_mm=(x, y, z),
        direction=tuple(np.stack([row, column, normal], axis=1).ravel().tolist()),
    )
    sideways = positions[-1] - positions[0]
    sideways = sideways - (sideways @ normal) * normal
    tangent = float(np.linalg.norm(sideways)) / (step * (len(placed) - 1))
    if tangent <= _SHEAR_LIMIT:
        return Stack(placed, grid, None)
    return Stack(placed, *straightened(grid, positions, float(np.degrees(np.arctan(tangent)))))


def _check_kinds(slices: Sequence[Slice], title: str) -> None:
    first = slices[0]
    if first.series.modality == "SEG":
        raise NotAScanError(
            f"{title} is a segmentation, not a scan.", "Choose the series that it belongs to."
        )
    patients = len({part.patient for part in slices})
    studies = len({part.series.study_uid for part in slices})
    if max(patients, studies) > 1:
        several = f"{patients} patients" if patients > 1 else f"{studies} studies"
        raise ImageError(
            f"{title} holds images of {several} under one series number.",
            "Export each of them on its own; what put them together should be found out.",
        )
    if any(part.samples != 1 for part in slices):
        raise NotAScanError(f"{title} holds colour pictures, not a scan.", "Choose another series.")
    for kind in first.series.image_type:
        if kind in _NO_SCAN:
            raise NotAScanError(f"{title} {_NO_SCAN[kind]}, not a scan.", "Choose another series.")
    sizes = sorted({part.size for part in slices})
    if len(sizes) > 1:
        shown = ", ".join(f"{x} x {y}" for x, y in sizes)
        raise ImageError(f"{title} has slices of different sizes: {shown}.", _EXPORT)


def _check_planes(planes: Sequence[Plane], title: str) -> None:
    if any(None in (plane.position_mm, plane.orientation, plane.spacing_mm) for plane in planes):
        raise NotAScanError(
            f"{title} does not say where its slices lie, as screenshots and scanned pages do not.",
            "Choose another series.",
        )
    if len(planes) < 2:
        raise NotAScanError(f"{title} has a single slice.", "Use a series of at least two slices.")
    spacings = np.array([_numbers(plane.spacing_mm) for plane in planes])
    if spacings.min() <= 0 or np.ptp(spacings, axis=0).max() > 1e-4 * spacings.max():
        raise ImageError(
            f"{title} has pixels of different sizes: {spacings.min():g} to {spacings.max():g} mm.", _EXPORT
        )
    if spacings.max() > _LARGEST_MM:
        raise ImageError(f"{title} has pixels of {spacings.max():g} mm, which no scan can have.", _EXPORT)
    orientations = np.array([_numbers(plane.orientation) for plane in planes])
    if np.ptp(orientations, axis=0).max() > _COSINE_TOLERANCE:
        raise NotAScanError(
            f"{title} has slices in different directions, as an overview for planning has.",
            "Choose another series.",
        )
    row, column = orientations[0, :3], orientations[0, 3:]
    lengths = np.linalg.norm([row, column], axis=1)
    if abs(row @ column) > _COSINE_TOLERANCE or np.abs(lengths - 1).max() > _COSINE_TOLERANCE:
        raise ImageError(
            f"{title} has a singular direction: its rows and columns are not at right angles.", _EXPORT
        )


def _check_steps(heights: NDArray[np.float64], pixel_mm: float, title: str) -> float:
    """Return the even step between slices in mm, or refuse with the numbers.

    Args:
        heights: of the slices along their normal, ascending, in mm.
        pixel_mm: the smaller side of a pixel.
        title: names the series in messages.
    """
    steps = np.diff(heights)
    apart = steps[steps > min(_STEP_TOLERANCE_MM, _ROUNDED_AT_MOST * pixel_mm)]
    places = len(apart) + 1
    if places < len(heights):
        if places > 1 and len(heights) % places == 0:
            raise ImageError(
                f"{title} holds {len(heights) // places} volumes at the same place, each of "
                f"{counted(places, 'slice')}.",
                "Export each time point or contrast as a series of its own.",
            )
        raise ImageError(
            f"{title} has {len(heights)} slices at only {counted(places, 'place', 'different places')}.",
            _EXPORT,
        )
    usual = float(np.median(steps))
    tolerance = max(_STEP_TOLERANCE * usual, min(_STEP_TOLERANCE_MM, _ROUNDED_AT_MOST * usual))
    if np.abs(steps - usual).max() <= tolerance:
        return float((heights[-1] - heights[0]) / len(steps))
    times = np.rint(steps / usual)
    if (times >= 1).all() and np.abs(steps - times * usual).max() <= tolerance * times.max():
        gap, missing = int(steps.argmax()), int((times - 1).sum())
        raise ImageError(
            f"{title} misses {counted(missing, 'slice')}: they are {usual:.4g} mm apart, but "
            f"{steps[gap]:.4g} mm after slice {gap + 1} of {len(heights)}.",
            _EXPORT,
        )
    raise ImageError(
        f"{title} has uneven steps between its slices, from {steps.min():.4g} to {steps.max():.4g} mm.",
        "Resample it to even steps, for instance with 3D Slicer, and use that file.",
    )


def _numbers(values: tuple[float, ...] | None) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
