"""Whether files hold one and the same scan, however they are called and packed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from medssl.imaging.multichannel import read_channels
from medssl.imaging.reading import read_volume


def is_same_scan(channels: Sequence[Path], others: Sequence[Path]) -> bool:
    """Whether two scans are of the same files, or have the same voxels on the same grid.

    Nothing is read where the files are the same. A scan that was copied, or kept in another format that loses
    no voxel, is the same scan; one that was resampled or cropped is another.

    Args:
        channels: one file, or folder with a DICOM series, a channel.
        others: likewise, or one file that holds all channels.

    Raises:
        ImageError: one cannot be read.
    """
    if len(channels) == len(others) and all(map(_is_same_file, channels, others)):
        return True
    if len(others) not in (1, len(channels)):
        return False
    for path, other in zip(channels, read_channels(others, len(channels)), strict=True):
        one = read_volume(path)
        if not (one.grid.agrees_with(other.grid) and np.array_equal(one.array, other.array)):
            return False
    return True


def _is_same_file(path: Path, other: Path) -> bool:
    with suppress(OSError):  # one is not there: reading it will tell
        return path == other or path.samefile(other)
    return False
