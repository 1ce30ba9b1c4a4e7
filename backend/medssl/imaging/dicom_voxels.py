"""Reading the voxels of a DICOM series' slices, in the units of its modality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array

from medssl.errors import ImageError, MissingPackageError
from medssl.imaging.dicom_files import BROKEN
from medssl.imaging.dicom_geometry import Placed
from medssl.imaging.dicom_packages import INSTALL_DICOM
from medssl.imaging.dicom_unpacking import unpack
from medssl.imaging.headers import EXPORT_AGAIN
from medssl.imaging.itk import array_of


def read_slices(placed: Sequence[Placed], title: str) -> NDArray[Any]:
    """Read the slices of a series, (z, y, x), with the slope and intercept of each applied.

    Args:
        placed: the slices in their order.
        title: names the series in messages.

    Raises:
        ImageError: a file is damaged, or the slices are not alike.
        MissingPackageError: the frames are compressed in a way for which a package is missing.
    """
    files = [one.file for one in placed]
    if len(set(files)) < len(files):
        return _read_frames(placed, title)
    scales = {(one.plane.slope, one.plane.intercept) for one in placed}
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    if len(scales) > 1:
        # The first slice's numbers would otherwise decide the type, and cut off the others' fractions.
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        return array_of(reader.Execute())
    except RuntimeError as error:
        raise _damaged(title) from error


def _read_frames(placed: Sequence[Placed], title: str) -> NDArray[Any]:
    """Read slices that are frames of enhanced files; each may have a slope and an intercept of its own."""
    frames = {file: _stored_frames(file, title) for file in dict.fromkeys(one.file for one in placed)}
    stored = np.stack([frames[one.file][one.frame] for one in placed])
    slopes = np.array([one.plane.slope for one in placed])
    intercepts = np.array([one.plane.intercept for one in placed])
    if (slopes == 1).all() and (intercepts == 0).all():
        return stored
    values = stored * slopes[:, None, None] + intercepts[:, None, None]
    whole = (slopes % 1 == 0).all() and (intercepts % 1 == 0).all()
    return np.asarray(values, dtype=np.int32 if whole else np.float32)


def _stored_frames(file: Path, title: str) -> NDArray[Any]:
    """Unpack all frames of a file (frames, y, x), in the numbers that are stored."""
    try:
        header = pydicom.dcmread(file)
        syntax = header.file_meta.TransferSyntaxUID
        if syntax.is_compressed and not get_decoder(syntax).is_available:
            raise MissingPackageError(
                f"{title} is compressed ({syntax.name}), and nothing is installed that unpacks it.",
                INSTALL_DICOM,
            )
        return unpack(file) if syntax.is_compressed else pixel_array(header, raw=True)
    except BROKEN as error:
        raise _damaged(title) from error


def _damaged(title: str) -> ImageError:
    return ImageError(f"{title} is damaged, or packed in a way that cannot be read.", EXPORT_AGAIN)
