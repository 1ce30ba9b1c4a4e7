"""A volume as one file, for a journey on which only single files go."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medssl.access import is_folder
from medssl.errors import ImageError
from medssl.imaging.formats import SEGMENTATION_SUFFIX, TWO_FILES, stem_of, suffix_of
from medssl.imaging.headers import open_header
from medssl.imaging.reading import read_image, read_volume
from medssl.imaging.writing import write_image, write_volume


@contextmanager
def as_one_file(path: Path) -> Iterator[Path]:
    """Give the file itself, or an NRRD file of the same voxels, grid and header fields while the block lasts.

    A copy is made of a format of two files, whose segments keep their names, and of a folder with one DICOM
    series.

    Raises:
        ImageError: it may not be looked at; see `read_volume`, where a copy is made.
        StorageError: the disk is full.
    """
    suffix = suffix_of(path)
    is_series = is_folder(path, ImageError)
    if suffix not in TWO_FILES and not is_series:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        if is_series:
            copy = Path(folder, f"{path.name or 'scan'}.nrrd")
            write_volume(copy, read_volume(path))
        else:
            segments = suffix is not None and suffix.startswith(".seg")
            copy = Path(folder, f"{stem_of(path)}{SEGMENTATION_SUFFIX if segments else '.nrrd'}")
            write_image(copy, read_image(open_header(path), path))
        yield copy
