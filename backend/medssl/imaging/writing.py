"""Writing a volume so that its file is either whole or not there."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from medssl.errors import StorageError
from medssl.imaging.formats import writable_suffix
from medssl.imaging.itk import image_of
from medssl.imaging.volume import Volume
from medssl.storage import atomic_path


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI, NRRD or MetaImage, by the end of the name; atomic and compressed.

    Raises:
        UsageError: the name ends in no format that can be written.
        StorageError: the disk is full, or the folder may not be written.
    """
    writable_suffix(path)
    write_image(path, image_of(volume.array, volume.grid))


def write_image(path: Path, image: sitk.Image) -> None:
    """Write a SimpleITK image atomically, with what its metadata holds."""
    with atomic_path(path) as temporary:
        # ITK does not say why it cannot write; the operating system does.
        temporary.touch()
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise StorageError(
                f"{path} could not be written.",
                "Check that the disk has space and that the folder may be written.",
            ) from error
