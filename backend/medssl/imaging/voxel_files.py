"""The files that a volume's header names for its voxels, where these lie apart from it.

Sources: MetaIO's documentation (https://itk.org/Wiki/ITK/MetaIO/Documentation), definition of the NRRD file
format (https://teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from medssl.access import is_file
from medssl.errors import ImageError
from medssl.imaging.formats import suffix_of
from medssl.imaging.meta_image import read_meta_image_header
from medssl.imaging.nrrd import read_nrrd_header

_NUMBER = re.compile(r"%\d*[diu]")  # as C writes it
_LIST = re.compile(r"^\s*(?:ElementDataFile\s*=|data ?file:)\s*LIST.*\n(?P<names>[^\0]*)", re.I | re.M)


def find_data(path: Path, name: str) -> Path | None:
    """Find the file that a header names for its voxels; None when these are in several files.

    Raises:
        ImageError: there is no such file.
    """
    if _names_several(name):
        return None
    data = path.parent / name
    if not is_file(data, ImageError):
        raise ImageError(
            f"{path} points to {data}, which is not there.", "Put the file with the voxels beside the header."
        )
    return data


def voxel_files(path: Path) -> list[Path]:
    """List the files apart from a header that hold its voxels, as far as they are there.

    Of a header that cannot be read, there are none: reading the volume tells what is wrong with it.
    """
    try:
        name = _data_name(path)
        if name is None:
            return []
        found = _several(path, name) if _names_several(name) else [path.parent / name]
    except (EOFError, OSError):
        return []
    return [file for file in found if os.path.isfile(file)]  # noqa: PTH113 - `is_file` raises where one may not enter


def _data_name(path: Path) -> str | None:
    suffix = suffix_of(path) or ""
    if suffix in (".mha", ".mhd"):
        meta = read_meta_image_header(path)
        return None if meta is None else meta.data_name
    if suffix.endswith((".nrrd", ".nhdr")):
        nrrd = read_nrrd_header(path)
        return None if nrrd is None else nrrd.data_name
    return None


def _names_several(name: str) -> bool:
    return name.startswith("LIST") or "%" in name


def _several(path: Path, name: str) -> list[Path]:
    if name.startswith("LIST"):
        listed = _LIST.search(path.read_text(encoding="utf-8", errors="replace"))
        lines = [] if listed is None else listed["names"].split("\n")
        return [path.parent / line.strip() for line in lines if line.strip()]
    pattern = path.parent / name.split()[0]  # after it come the first number, the last one and the step
    wanted = re.compile(_NUMBER.sub(r"\\d+", re.escape(pattern.name)))
    return [file for file in pattern.parent.iterdir() if wanted.fullmatch(file.name)]
