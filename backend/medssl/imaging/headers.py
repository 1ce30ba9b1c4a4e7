"""Reading the header of a volume's file, and refusing what cannot be a scan before its voxels are read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medssl.access import cannot_be_read, is_file
from medssl.errors import ImageError
from medssl.imaging.file_names import check_name
from medssl.imaging.formats import READABLE, suffix_of
from medssl.imaging.itk import grid_of
from medssl.imaging.meta_image import read_meta_image_header
from medssl.imaging.nifti import (
    NIFTI_HEADER_BYTES,
    check_to_end,
    is_complete,
    is_nifti_2,
    read_nifti_header,
    sform_grid,
)
from medssl.imaging.nrrd import read_nrrd_header
from medssl.imaging.volume import Grid
from medssl.imaging.voxel_files import find_data

EXPORT_AGAIN = "Copy or export it again from where it came."
FIND_AGAIN = (
    "Check the path. If it is the scan of a case and lies elsewhere now, add it again from there, with the "
    "name of the case."
)
_NIFTI = (".nii", ".nii.gz")
_PAIR = (".img", ".hdr")  # Analyze's and NIfTI's voxels and header, apart
_SPACINGS_MM = (1e-6, 1e3)  # from electron microscopes to more than a whole person in one voxel
_SKEW_LIMIT = 0.01  # cosine between two axes; half a degree
_ITK_SKEW_LIMIT = 5e-5  # and about this is ITK's for a NIfTI file


def open_header(path: Path) -> sitk.ImageFileReader:
    """Read the header of a volume's file and check that its data is there.

    Returns:
        A reader on which only `Execute` is left to be called.

    Raises:
        ImageError: there is no such file, it is empty, truncated or not an image.
    """
    check_name(path)
    _check_file(path)
    with _told_as_damage(path):
        return _open_header(path)


def _open_header(path: Path) -> sitk.ImageFileReader:
    if suffix_of(path) is None:
        # ITK knows more formats, of which nobody checked that they are read whole.
        raise _in_two_files(path) if path.suffix.lower() in _PAIR else not_an_image(path)
    try:
        if suffix_of(path) in _NIFTI:
            _check_nifti(path)
        elif suffix_of(path) in (".mha", ".mhd"):
            _check_meta_image(path)
        elif (suffix_of(path) or "").endswith(".nhdr"):
            _check_nrrd_header(path)
    except (EOFError, OSError, zlib.error) as error:
        raise incomplete(path) from error
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise unreadable(path, error) from error
    return reader


def header_grid(reader: sitk.ImageFileReader, path: Path) -> Grid:
    """Return the grid of a header, with a NIfTI file's exact affine.

    Raises:
        ImageError: the grid is not one of three axes at right angles with a positive size and spacing.
    """
    grid = grid_of(reader)
    with _told_as_damage(path):
        exact = _sform_grid(path)
        if exact is not None and exact.agrees_with(grid):
            grid = exact
        check_grid(grid, path)
    return grid


def placing_notes(grid: Grid, path: Path) -> tuple[str, ...]:
    """Say of a NIfTI file of two affines that ITK took the other one, since the first is no grid."""
    exact = _sform_grid(path)
    # A file in other units than millimetres has an sform that disagrees and is none the worse.
    if exact is None or exact.agrees_with(grid) or not _skew(exact) > _ITK_SKEW_LIMIT:
        return ()
    return (
        f"{path}: its sform has axes that are not at right angles; its qform places it, as in 3D Slicer.",
    )


def _skew(grid: Grid) -> float:
    """The largest cosine of the angle between two axes; 0 at right angles, or where an axis has no length."""
    direction = np.array(grid.direction).reshape(3, 3)
    lengths = np.linalg.norm(direction, axis=0)
    if not lengths.all():
        return 0.0
    cosines = (direction / lengths).T @ (direction / lengths)
    return float(np.abs(cosines - np.eye(3)).max())


def _sform_grid(path: Path) -> Grid | None:
    header = read_nifti_header(path) if suffix_of(path) in _NIFTI else None
    if header is None or header.sform is None or len(header.size) < 3:
        return None
    return sform_grid((header.size[0], header.size[1], header.size[2]), header.sform)


@contextmanager
def _told_as_damage(path: Path) -> Iterator[None]:
    """Say of a header that makes no sense that its file is damaged, when its checksum says so.

    Of the formats here, only a NIfTI file's header is packed.
    """
    try:
        yield
    except ImageError as error:
        if suffix_of(path) in _NIFTI:
            try:
                check_to_end(path)
            except (EOFError, OSError, zlib.error):
                raise incomplete(path) from error
        raise


def check_grid(grid: Grid, path: Path, skew_limit: float = _SKEW_LIMIT) -> None:
    """Raise `ImageError` for a grid on which nothing can be measured: without size, singular or skewed."""
    if 0 in grid.size:
        raise ImageError(f"{path} holds no voxels: its size is {_by(grid.size)}.", EXPORT_AGAIN)
    lowest, highest = _SPACINGS_MM
    if not all(lowest <= spacing <= highest for spacing in grid.spacing_mm):
        raise ImageError(
            f"{path} has a spacing of {_by(grid.spacing_mm)} mm, which no scan can have.",
            "Correct the spacing in the file, or export it again.",
        )
    if not np.isfinite(grid.matrix).all():
        raise _not_placed(path)
    direction = np.array(grid.direction).reshape(3, 3)
    if abs(np.linalg.det(direction)) < 1e-3:
        raise ImageError(
            f"{path} has a singular direction: two of its axes point the same way.",
            "Correct the directions in the file, or export it again.",
        )
    skew = _skew(grid)
    if skew > skew_limit or np.abs(np.linalg.norm(direction, axis=0) - 1).max() > _SKEW_LIMIT:
        angle = float(np.degrees(np.arccos(min(1.0, skew))))
        raise ImageError(
            f"{path} has axes that are not at right angles ({round(angle, 2):g} degrees), as from a tilted "
            "gantry.",
            "Resample it onto straight axes, in 3D Slicer with 'Resample Scalar Volume' or its DICOM import.",
        )


def unreadable(path: Path, error: RuntimeError) -> ImageError:
    """Say in one sentence what ITK's refusal to read a file means."""
    text = str(error)
    if "Unable to determine ImageIO" in text or "is not recognized as a NIFTI" in text:
        return not_an_image(path)
    if "determinant is 0" in text or "orthonormal" in text:
        sheared = _sform_grid(path)
        if sheared is not None and min(sheared.spacing_mm) > 0:
            check_grid(sheared, path, _ITK_SKEW_LIMIT)
        return ImageError(
            f"{path} has a singular direction: its axes do not span space.",
            "Correct the directions in the file, or export it again.",
        )
    if "size is zero" in text:
        return ImageError(f"{path} holds no voxels: one of its sizes is 0.", EXPORT_AGAIN)
    return incomplete(path)


def _in_two_files(path: Path) -> ImageError:
    return ImageError(
        f"{path} is one half of a pair of an .img and an .hdr file, which cannot be read.",
        "Save it as .nii.gz.",
    )


def _not_placed(path: Path) -> ImageError:
    return ImageError(
        f"{path} has a position or a direction that is not a number.",
        "Correct them in the file, or export it again.",
    )


def not_an_image(path: Path) -> ImageError:
    """Say that a file is something else."""
    return ImageError(
        f"{path} is not an image that can be read.",
        f"Use one of the formats {', '.join(READABLE)} or a folder of DICOM files.",
    )


def incomplete(path: Path) -> ImageError:
    """Say that a file is damaged."""
    return ImageError(
        f"{path} is damaged or incomplete: it ends too early, its header is wrong or its voxels "
        "were changed.",
        EXPORT_AGAIN,
    )


def _check_file(path: Path) -> None:
    if not is_file(path, ImageError):
        raise ImageError(f"There is no file {path}.", FIND_AGAIN)
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes).", EXPORT_AGAIN)
    try:
        path.open("rb").close()
    except PermissionError as error:
        raise cannot_be_read(error, path, ImageError) from error


def _check_nifti(path: Path) -> None:
    header = read_nifti_header(path)
    if header is None and is_nifti_2(path):
        raise ImageError(f"{path} is a NIfTI-2 file, which cannot be read.", "Save it as NIfTI-1.")
    if header is None:
        raise not_an_image(path)
    if not header.size or min(header.size) <= 0:
        raise ImageError(f"{path} holds no voxels: its size is {_by(header.size)}.", EXPORT_AGAIN)
    if header.sform is not None and not np.isfinite(header.sform).all():
        raise _not_placed(path)
    if header.data_start < NIFTI_HEADER_BYTES:
        # ITK would read on from the header's end, and others from where it says, or a little later.
        raise ImageError(
            f"{path} has a wrong header: its voxels begin at byte {header.data_start}, inside the header.",
            EXPORT_AGAIN,
        )
    if not is_complete(path, header):
        raise incomplete(path)


def _check_meta_image(path: Path) -> None:
    """Check a MetaImage's fields and length: ITK's reader writes to the terminal when they are wrong."""
    header = read_meta_image_header(path)
    if header is None:
        raise not_an_image(path)
    if min(header.sizes) <= 0:
        raise ImageError(f"{path} holds no voxels: its size is {_by(header.sizes)}.", EXPORT_AGAIN)
    data = path if header.data_name is None else find_data(path, header.data_name)
    expected = header.unpacked_bytes if header.packed_bytes is None else header.packed_bytes
    if data is not None and data.stat().st_size < header.data_start + expected:
        raise incomplete(path)


def _check_nrrd_header(path: Path) -> None:
    header = read_nrrd_header(path)
    if header is None:
        raise not_an_image(path)
    if header.data_name is None:
        raise incomplete(path)
    find_data(path, header.data_name)


def _by(numbers: object) -> str:
    return " x ".join(f"{n:g}" for n in numbers) if isinstance(numbers, (tuple, list)) else str(numbers)
