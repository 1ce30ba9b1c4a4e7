"""The channels of one scan: a file each, or all in one file.

One file holds several volumes along a fourth axis (as the Decathlon stores them), or as several numbers for
each voxel (as some programs write NRRD and MetaImage).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medssl.access import is_folder
from medssl.errors import ImageError
from medssl.imaging.dicom_slices import is_dicom
from medssl.imaging.finite import make_finite
from medssl.imaging.headers import header_grid, open_header
from medssl.imaging.itk import image_of
from medssl.imaging.reading import read_volume, read_voxels
from medssl.imaging.volume import Grid, Volume
from medssl.words import counted


def look_inside(path: Path) -> tuple[Grid, int] | None:
    """Return the grid of a file that holds several volumes, and how many; None for any other.

    Nothing but the header is read.

    Raises:
        ImageError: there is no such file, or it is empty, truncated, no image or without a usable geometry.
    """
    if is_folder(path, ImageError) or is_dicom(path):
        return None
    reader = open_header(path)
    count = math.prod(reader.GetSize()[3:]) * reader.GetNumberOfComponents()
    if len(reader.GetSize()) < 3 or count < 2:
        return None
    return header_grid(reader, path), count


def read_channels(paths: Sequence[Path], count: int) -> tuple[Volume, ...]:
    """Read a scan of `count` channels: a file each, or one file that holds them all.

    Raises:
        ImageError: see `read_volume`; the one file of several channels holds another number of volumes.
    """
    if len(paths) == 1 and count > 1:
        return _split(paths[0], count)
    return tuple(read_volume(path) for path in paths)


def joined(channels: Sequence[Volume]) -> sitk.Image:
    """Make one image of all channels, on the grid of the first and of a type that holds the values of each.

    ITK joins neither int16 with float32 nor grids that differ in the fifth digit, as files of one scan do.
    """
    kind = np.result_type(*(channel.array.dtype for channel in channels))
    whole: sitk.Image = sitk.JoinSeries(
        [image_of(channel.array.astype(kind, copy=False), channels[0].grid) for channel in channels]
    )
    return whole


def _split(path: Path, count: int) -> tuple[Volume, ...]:
    inside = look_inside(path)
    if inside is None or inside[1] != count:
        found = counted(1 if inside is None else inside[1], "volume")
        raise ImageError(
            f"{path} holds {found}, and a scan here has {counted(count, 'channel')}.",
            "Give one file for each channel, or one file with all of them.",
        )
    grid = inside[0]
    reader = open_header(path)
    array = read_voxels(reader, grid, path)
    if reader.GetNumberOfComponents() > 1:
        array = np.moveaxis(array, -1, 0)
    voxels = [np.ascontiguousarray(channel) for channel in array.reshape(count, *grid.shape)]
    return tuple(Volume(channel, grid, make_finite(channel, str(path))) for channel in voxels)
