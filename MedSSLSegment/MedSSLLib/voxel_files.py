"""Reading volumes from files and writing them, in threads beside the main one.

SimpleITK and numpy let go of Python's lock while they read, copy and write; VTK's own readers do not, and
would stop Slicer's window for as long. SimpleITK is imported by what uses it, here and in other files: it
is a third of the time in which the module opens, and opening needs none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import vtk
from slicer.i18n import tr as _
from vtk.util import numpy_support

from MedSSLLib.grids import Grid, grid_of_image
from MedSSLLib.problems import Problem

if TYPE_CHECKING:
    import SimpleITK as sitk

READABLE = (".seg.nrrd", ".seg.nhdr", ".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Endings of the files that hold one volume, as the engine knows them."""

_TYPES = {"i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32",
          "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double"}  # fmt: skip
_SAMPLE = 500_000  # voxels that the window is chosen from
_AIR_HU = -900  # a volume that goes so low is a CT scan
_CT_WINDOW, _CT_LEVEL = 400.0, 40.0


@dataclass(frozen=True, eq=False)
class LoadedVolume:
    """A volume in memory that no node shows yet.

    Attributes:
        image: its voxels, with spacing 1 and origin 0 as Slicer's volume nodes want them.
        grid: where they lie.
        window: width of the range of values to show.
        level: its middle.
        path: the file it came from.
    """

    image: vtk.vtkImageData
    grid: Grid
    window: float
    level: float
    path: Path


def suffix_of(path: Path) -> str:
    """The ending that says which format a file has, such as '.nii.gz'; '' for other files."""
    name = path.name.lower()
    return next((suffix for suffix in READABLE if name.endswith(suffix) and len(name) > len(suffix)), "")


def stem_of(path: Path) -> str:
    """A file's name without the ending of its format."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_volume(path: Path) -> LoadedVolume:
    """Read a scan; for a thread beside the main one.

    Raises:
        Problem: it cannot be read, or is no volume with three dimensions and one value a voxel.
    """
    return loaded(read_image(path), path)


def loaded(source: sitk.Image, path: Path) -> LoadedVolume:
    """Take a scan that SimpleITK has read over into the form that Slicer's nodes want."""
    import SimpleITK as sitk

    voxels = sitk.GetArrayViewFromImage(source)
    image, array = new_image(vtk.vtkImageData(), (0, 0, 0), voxels.shape, voxels.dtype)
    np.copyto(array, voxels)
    window, level = window_of(array)
    return LoadedVolume(image, grid_of_image(source), window, level, path)


def read_image(path: Path) -> sitk.Image:
    """Read a file with one value a voxel.

    Raises:
        Problem: see `read_volume`.
    """
    reader = _header_of(path)
    if reader.GetDimension() > 3:
        reader.SetExtractSize([*reader.GetSize()[:3], *[0] * (reader.GetDimension() - 3)])
    with _told(path):
        return reader.Execute()


def read_grid(path: Path) -> Grid:
    """Where a file says that its voxels lie, by its header alone; for a thread beside the main one.

    Raises:
        Problem: see `read_volume`.
    """
    return grid_of_image(_header_of(path))


def _header_of(path: Path) -> sitk.ImageFileReader:
    """Read the header of a file with one value a voxel.

    Raises:
        Problem: see `read_volume`.
    """
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with _told(path):
        reader.ReadImageInformation()
    extra = [n for n in reader.GetSize()[3:] if n > 1]
    if extra or reader.GetDimension() < 3:
        raise Problem(
            _("{path} has {count} dimensions, not 3.").format(path=path, count=reader.GetDimension()),
            _("Save one volume of it alone."),
        )
    if reader.GetNumberOfComponents() > 1:
        raise Problem(
            _("{path} holds {count} values a voxel, as color pictures do.").format(
                path=path, count=reader.GetNumberOfComponents()
            ),
            _("Use a volume with one value a voxel."),
        )
    return reader


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say why a file cannot be read."""
    try:
        yield
    except RuntimeError as error:  # the only one that ITK raises
        reason = str(error).strip().splitlines()[-1].replace("ITK ERROR: ", "")
        raise Problem(
            _("{path} cannot be read: {reason}").format(path=path, reason=reason),
            _("Check that it is a whole file, with axes at right angles."),
        ) from error


def write_nrrd(path: Path, array: np.ndarray, grid: Grid) -> None:
    """Write voxels as they lie in memory, with no copy of them; for a thread beside the main one.

    Args:
        path: ends in .nrrd.
        array: (k, j, i).
        grid: where they lie.

    Raises:
        Problem: the file cannot be written.
    """
    order = "little" if sys.byteorder == "little" else "big"
    axes = grid.axes_lps().T.tolist()
    header = [
        "NRRD0004",
        f"type: {_TYPES[array.dtype.str[1:]]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, grid.size))}",
        f"space directions: {' '.join(_vector(step) for step in axes)}",
        "kinds: domain domain domain",
        f"endian: {order}",
        "encoding: raw",
        f"space origin: {_vector(grid.origin_lps().tolist())}",
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(("\n".join(header) + "\n\n").encode("ascii"))
            np.ascontiguousarray(array).tofile(file)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> Problem:
    """What to say of a file or a folder that cannot be written."""
    return Problem(
        _("{path} cannot be written: {reason}.").format(path=path, reason=error.strerror or error),
        _("Check the free space of the disk, and whether you may write there."),
    )


def new_image(
    image: Any, start: tuple[int, int, int], shape: tuple[int, ...], dtype: np.dtype
) -> tuple[Any, np.ndarray]:
    """Give a vtkImageData, or a kind of it, room for voxels.

    Args:
        image: the new, empty image.
        start: its first i, j, k.
        shape: (k, j, i).
        dtype: of the voxels.

    Returns:
        The image, and its voxels (k, j, i) to be written to.
    """
    last = [first + n - 1 for first, n in zip(start, shape[::-1])]
    image.SetExtent(start[0], last[0], start[1], last[1], start[2], last[2])
    image.AllocateScalars(numpy_support.get_vtk_array_type(dtype), 1)
    return image, voxels_of(image)


def voxels_of(image: vtk.vtkImageData) -> np.ndarray:
    """The voxels (k, j, i) of an image, in its own memory."""
    scalars = image.GetPointData().GetScalars()
    if scalars is None:
        return np.zeros((0, 0, 0), np.uint8)
    return numpy_support.vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def window_of(array: np.ndarray) -> tuple[float, float]:
    """Choose window and level from a sample: for CT that of the abdomen, otherwise nearly all values."""
    step = max(1, round((array.size / _SAMPLE) ** (1 / 3)))
    sample = array[::step, ::step, ::step]
    sample = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    if not sample.size:
        return 1.0, 0.5
    if sample.min() <= _AIR_HU:
        return _CT_WINDOW, _CT_LEVEL
    low, high = (float(value) for value in np.percentile(sample, [0.5, 99.5]))
    if low == high:
        low, high = float(sample.min()), float(sample.max())
    return max(high - low, 1e-6), (low + high) / 2


def _vector(numbers: list[float]) -> str:
    return "(" + ",".join(repr(float(number)) for number in numbers) + ")"
