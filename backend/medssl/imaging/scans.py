"""Finding the scans of a folder tree: volumes in files, and DICOM series."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medssl.errors import ImageError
from medssl.imaging.dicom import Series, read_series, series_of
from medssl.imaging.formats import SEGMENTATION_SUFFIX, stem_of, suffix_of
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume

_NAME_BYTES = 200  # leaves room for a suffix in the 255 bytes a file's name may have


@dataclass(frozen=True)
class Scan:
    """One scan of a folder.

    Attributes:
        name: for people: `relative`, with forward slashes.
        relative: where it lies in the folder, without suffix; different for every scan of the folder, also
            where upper and lower case are the same. What is made from the scan takes its name from it.
        source: the file, or the folder of the DICOM series.
        series: the DICOM series; None for files.
        problem: why it cannot be read, where that is known before reading; a sentence and a remedy.
    """

    name: str
    relative: Path
    source: Path
    series: Series | None
    problem: str | None

    def read(self) -> Volume:
        """Read it; see `read_volume` and `read_series` for the errors."""
        return read_volume(self.source) if self.series is None else read_series(self.series)


def find_scans(folder: Path, recursive: bool = True) -> list[Scan]:
    """List the scans of a folder, sorted by name; nothing but DICOM headers is read.

    Segmentations of 3D Slicer (`.seg.nrrd`) and hidden files and folders are passed over. A path to one file
    is a folder of one scan.

    Raises:
        ImageError: there is no such folder, or it may not be read.
    """
    if folder.is_file():
        return [_file_scan(folder, Path(stem_of(folder)))]
    if not folder.is_dir():
        raise ImageError(f"There is no folder {folder}.", "Check the path.")
    volumes: list[Path] = []
    others: list[Path] = []
    for file in _files(folder, recursive):
        suffix = suffix_of(file)
        if suffix is None:
            others.append(file)
        elif suffix not in (SEGMENTATION_SUFFIX, ".seg.nhdr"):
            volumes.append(file)
    taken: set[str] = set()
    scans = []
    for file in volumes:
        relative = file.relative_to(folder)
        wanted = relative.with_name(stem_of(file))
        # Two formats of one name lie beside each other: then the format tells them apart.
        otherwise = relative.with_name(re.sub(r"\.(?=\w)", "-", file.name))
        scans.append(_file_scan(file, _free(wanted, otherwise, taken)))
    found = series_of(others)
    alone = [sum(other.folder == series.folder for other in found) == 1 for series in found]
    for series, is_alone in zip(found, alone, strict=True):
        relative = series.folder.relative_to(folder)
        own = _as_name(series.header.description) or series.header.modality or "series"
        wanted = relative if is_alone and relative.parts else relative / own
        free = _free(wanted, relative / f"{own}-{series.header.uid[-12:]}", taken)
        scans.append(Scan(_shown(free), free, series.folder, series, series.problem))
    return sorted(scans, key=lambda scan: scan.name.casefold())


def _files(folder: Path, recursive: bool) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ImageError(f"{error.filename} may not be read.", "Ask for permission to read it.") from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _file_scan(file: Path, relative: Path) -> Scan:
    return Scan(_shown(relative), relative, file, None, None)


def _free(wanted: Path, otherwise: Path, taken: set[str]) -> Path:
    """Return the first of the wanted paths that no scan has yet, and take it."""
    choices = [wanted, otherwise, *(otherwise.with_name(f"{otherwise.name}-{n}") for n in range(2, 10_000))]
    free = next(path for path in choices if _shown(path).casefold() not in taken)
    taken.add(_shown(free).casefold())
    return free


def _as_name(text: str) -> str:
    """Turn a scanner's description into a name that every file system takes."""
    name = re.sub(r"[^\w.+-]+", "_", text).strip("._")
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")


def _shown(path: Path) -> str:
    return str(PurePosixPath(*path.parts))
