"""Writing a volume so that its file is either whole or not there."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medssl.imaging.formats import writable_suffix
from medssl.imaging.itk import image_of
from medssl.imaging.nifti_writing import write_nifti
from medssl.imaging.volume import Volume
from medssl.storage import atomic_path


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI, NRRD or MetaImage, by the end of the name; atomic and compressed.

    Truth values are written as 0 and 1, and 16-bit floats as 32-bit floats, which no format lacks.

    Raises:
        UsageError: the name ends in no format that can be written.
        ImageError: the format has no place for such voxels.
        StorageError: the disk is full, or the folder may not be written.
    """
    suffix = writable_suffix(path)
    array = volume.array
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    if suffix in (".nii", ".nii.gz"):
        with atomic_path(path) as temporary:
            write_nifti(temporary, Volume(array, volume.grid))
    else:
        write_image(path, image_of(array, volume.grid))


def write_image(path: Path, image: sitk.Image) -> None:
    """Write a SimpleITK image atomically, with what its metadata holds."""
    with atomic_path(path) as temporary:
        # ITK does not say why it cannot write. The operating system does, for an empty file.
        temporary.touch()
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            needed = image.GetNumberOfPixels() * image.GetSizeOfPixelComponent()
            full = shutil.disk_usage(path.parent).free < needed
            raise OSError(errno.ENOSPC if full else errno.EIO, "the disk refused") from error
