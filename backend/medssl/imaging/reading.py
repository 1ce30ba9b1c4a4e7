"""Reading a volume with its geometry: from one file, or from a folder with one DICOM series."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import SimpleITK as sitk
from numpy.typing import NDArray

from medssl.access import is_folder
from medssl.errors import ImageError
from medssl.imaging.dicom import only_series, read_series, series_grid
from medssl.imaging.dicom_slices import is_dicom
from medssl.imaging.finite import make_finite
from medssl.imaging.formats import suffix_of
from medssl.imaging.headers import header_grid, incomplete, open_header, placing_notes, unreadable
from medssl.imaging.itk import array_of
from medssl.imaging.nifti import read_nifti_header, read_nifti_voxels
from medssl.imaging.packed import check_packed
from medssl.imaging.volume import Grid, Volume


def read_volume(path: Path) -> Volume:
    """Read a scan of three dimensions.

    Args:
        path: a NIfTI, NRRD or MetaImage file, an enhanced DICOM file, or a folder that holds exactly one
            DICOM series.

    Returns:
        The voxels in the file's own type, with the file's own geometry. Voxels that are not finite are
        replaced by the smallest finite one, and `notes` says so. A constant volume is read like any other.

    Raises:
        ImageError: the file is missing, empty, truncated, damaged or not an image; it has not three
            dimensions, no voxels or a geometry that means nothing; half of its voxels or more are not finite.
    """
    if is_folder(path, ImageError) or is_dicom(path):
        return read_series(only_series(path))
    reader = open_header(path)
    check_three_dimensions(reader, path)
    grid = header_grid(reader, path)
    array = read_voxels(reader, grid, path)
    return Volume(array, grid, (*placing_notes(grid, path), *make_finite(array, str(path))))


def read_grid(path: Path) -> Grid:
    """Read where the voxels lie, without reading them; the same grid and errors as `read_volume`."""
    if is_folder(path, ImageError) or is_dicom(path):
        return series_grid(only_series(path))
    reader = open_header(path)
    check_three_dimensions(reader, path)
    return header_grid(reader, path)


def read_voxels(reader: sitk.ImageFileReader, grid: Grid, path: Path) -> NDArray[Any]:
    """Read the voxels (z, y, x) of a header that was checked.

    Where a file holds several volumes, they are (volumes, z, y, x) or, as numbers for each voxel,
    (z, y, x, components).

    Raises:
        ImageError: the file ends too early, or its packed voxels are not those that were written.
    """
    try:
        is_nifti = suffix_of(path) in (".nii", ".nii.gz") and reader.GetNumberOfComponents() == 1
        header = read_nifti_header(path) if is_nifti else None
        array = read_nifti_voxels(path, header) if header else None
        if array is not None:
            return array
        if reader.GetDimension() > 3 and math.prod(reader.GetSize()[3:]) == 1:
            reader.SetExtractSize((*grid.size, *(0,) * (reader.GetDimension() - 3)))
        return array_of(read_image(reader, path))
    except (EOFError, OSError, zlib.error) as error:
        raise incomplete(path) from error


def read_image(reader: sitk.ImageFileReader, path: Path) -> sitk.Image:
    """Let ITK read the voxels of a header that was checked, when they are those that were written.

    Raises:
        ImageError: the file is damaged.
    """
    try:
        check_packed(path)
        image: sitk.Image = reader.Execute()
        return image
    except (EOFError, OSError, zlib.error) as error:
        raise incomplete(path) from error
    except RuntimeError as error:
        raise unreadable(path, error) from error


def check_three_dimensions(reader: sitk.ImageFileReader, path: Path, components: int = 1) -> None:
    """Raise `ImageError` when a header is not that of a volume with so many real numbers for each voxel."""
    size = reader.GetSize()
    shape = " x ".join(map(str, size))
    if len(size) < 3:
        raise ImageError(f"{path} has two dimensions ({shape}).", "Use a scan of three dimensions.")
    if any(n != 1 for n in size[3:]):
        raise ImageError(
            f"{path} has {len(size)} dimensions ({shape}).",
            "Save each of its volumes as a file of its own: the channels of a case are separate files.",
        )
    if reader.GetNumberOfComponents() != components:
        raise ImageError(
            f"{path} holds {reader.GetNumberOfComponents()} numbers for each voxel (colours or vectors).",
            "Save each of them as a volume of its own.",
        )
    if reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise ImageError(f"{path} holds complex numbers.", "Save their magnitude.")
