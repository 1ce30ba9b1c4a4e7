"""Telling a label map, or a picture of nothing, from a scan: by how many different values it holds."""

from __future__ import annotations

import numpy as np

from medssl.errors import ImageError
from medssl.imaging.volume import Volume

_LABEL_VALUES = 16  # a volume of so few different values is a label map, or shows nothing


class NoIntensitiesError(ImageError):
    """What lies in a folder of scans and can be read, but is none; who names a file has said what it is."""


def no_intensities(title: str) -> NoIntensitiesError:
    """Say of a file that it is no scan."""
    return NoIntensitiesError(f"{title} holds labels, or next to nothing, and no intensities.")


def has_few_values(volume: Volume) -> bool:
    """Whether a volume is a label map, or shows nothing; of a large one, some of the voxels are looked at."""
    step = max(1, round((volume.array.size / 1e6) ** (1 / 3)))
    return len(np.unique(volume.array[::step, ::step, ::step])) <= _LABEL_VALUES
