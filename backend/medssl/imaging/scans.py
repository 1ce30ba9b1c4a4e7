"""Finding the scans of a folder tree: volumes in files, and DICOM series."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medssl.access import escaped, is_file, is_folder
from medssl.errors import ImageError
from medssl.imaging.dicom import Series, read_series, series_of
from medssl.imaging.dicom_slices import is_dicom
from medssl.imaging.file_names import check_name
from medssl.imaging.formats import SeriesNames, stem_of, suffix_of
from medssl.imaging.reading import read_volume
from medssl.imaging.tree import walk
from medssl.imaging.volume import Volume
from medssl.words import counted

_SHOW_NAMES = "Choose names after folders for DICOM series (--names folders) to see which, and why."
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
        unfit: why it is none, where that is known before reading: a folder that nobody looked into.
    """

    name: str
    relative: Path
    source: Path
    series: Series | None
    problem: str | None
    unfit: str | None = None

    @property
    def shown(self) -> str:
        """Where it is, for tables; without a path where the series' names are neutral."""
        if self.series is None or self.series.names != "neutral":
            return str(self.source)
        header = self.series.header
        number = f"series {header.number}, " if header.number else ""
        return f"{header.modality}, {number}{counted(len(self.series.placed), 'image')}"

    def check(self) -> None:
        """Raise an `ImageError` where it is known that it is none, or cannot be opened."""
        reason = self.unfit or (self.problem if self.series is None else None)
        if reason is not None:
            raise ImageError(reason)

    def read(self) -> Volume:
        """Read it; see `read_volume` and `read_series` for the errors."""
        self.check()
        return read_volume(self.source) if self.series is None else read_series(self.series)


def find_scans(
    folder: Path,
    recursive: bool = True,
    names: SeriesNames = "folders",
    heard: Callable[[int, int], None] = lambda done, total: None,
) -> list[Scan]:
    """List the scans of a folder, sorted by name; nothing but DICOM headers is read.

    Segmentations (`.seg.nrrd`, DICOM SEG), the results of earlier runs, and hidden files and folders are
    passed over; a project is listed as a scan that is unfit. A path to one file is a folder of one scan,
    whatever the file is.

    Args:
        folder: where to look.
        recursive: also in folders inside it.
        names: what DICOM series are called: `folders`, after the tree and their descriptions; `patient-id`,
            after that and their numbers; `neutral`, by nothing that tells of the patient.
        heard: told now and then how many DICOM files of how many were looked at; may raise to stop.

    Raises:
        ImageError: there is no such folder, it may not be read, or it is a project.
    """
    check_name(folder)
    if is_dicom(folder):
        return _series_scans(series_of([folder], names), folder.parent, names, set())
    if is_file(folder, ImageError):
        return [_file_scan(folder, Path(stem_of(folder)))]
    if not is_folder(folder, ImageError):
        raise ImageError(f"There is no folder {folder}.", "Check the path.")
    tree = walk(folder, recursive)
    taken: set[str] = set()
    scans = []
    for file in tree.volumes:
        relative = file.relative_to(folder)
        wanted = relative.with_name(stem_of(file))
        # Two formats of one name lie beside each other: then the format tells them apart.
        otherwise = relative.with_name(re.sub(r"\.(?=\w)", "-", file.name))
        scans.append(_file_scan(file, _free(wanted, otherwise, taken)))
    refused = list(tree.refused)
    series = series_of(tree.others, names, heard, lambda file, error: refused.append((file, error)))
    scans += _series_scans(series, folder, names, taken)
    scans += _refused_scans(refused, folder, bool(series) and names == "neutral", taken)
    scans += [_project_scan(project, folder, taken) for project in tree.projects]
    return sorted(scans, key=lambda scan: scan.name.casefold())


def _series_scans(every: list[Series], folder: Path, names: SeriesNames, taken: set[str]) -> list[Scan]:
    found = [series for series in every if series.header.modality != "SEG"]
    folders = [series.folder for series in found]
    count = Counter(folders)
    scans = []
    for series, source in zip(found, folders, strict=True):
        header, relative = series.header, source.relative_to(folder)
        own = _as_name(header.description) or header.modality or "series"
        wanted = relative if count[source] == 1 and relative.parts else relative / own
        if names == "neutral":
            wanted = Path(series.neutral_name)
        elif names == "patient-id":
            relative = Path(_as_name(header.patient_id) or "no patient id")
            wanted = relative / f"series-{header.number:03d}-{own}"
        free = _free(wanted, relative / f"{own}-{header.uid[-12:]}", taken)
        scans.append(Scan(_shown(free), free, source, series, series.problem))
    return scans


def _refused_scans(
    refused: list[tuple[Path, ImageError]], folder: Path, hidden: bool, taken: set[str]
) -> list[Scan]:
    """One scan for each file or folder that cannot be opened, and one for all files of a series' folder.

    Among DICOM series with neutral names, nothing says where they lie, since that may tell of the patient.
    """
    places: dict[Path, list[tuple[Path, ImageError]]] = {}
    for path, error in refused:
        is_folder = os.path.isdir(path)  # noqa: PTH112 - `is_dir` raises where a folder may not be entered
        one_of_many = suffix_of(path) is None and not is_folder
        places.setdefault(path.parent if one_of_many else path, []).append((path, error))
    scans = []
    for place, held in places.items():
        first, error = held[0]
        source = escaped(place if len(held) > 1 else first)
        relative = source.relative_to(escaped(folder))
        problem = str(error)
        if len(held) > 1:
            relative /= "not opened"
            problem += f" So it is with {counted(len(held) - 1, 'other file')} beside it."
        if hidden:
            source = folder
            relative = Path(f"not-opened-{hashlib.sha256(os.fsencode(place)).hexdigest()[:8]}")
            problem = f"{counted(len(held), 'file or folder', 'files')} cannot be opened. {_SHOW_NAMES}"
        free = _free(relative.with_name(stem_of(relative)), relative.with_name(f"{relative.name}-2"), taken)
        scans.append(Scan(_shown(free), free, source, None, problem))
    return scans


def _project_scan(project: Path, folder: Path, taken: set[str]) -> Scan:
    relative = project.relative_to(folder)
    free = _free(relative, relative.with_name(f"{relative.name}-project"), taken)
    unfit = f"{project} is a project of MedSSL, and what it holds are no scans."
    return Scan(_shown(free), free, project, None, None, unfit)


def _file_scan(file: Path, relative: Path) -> Scan:
    return Scan(_shown(relative), relative, file, None, None)


def _free(wanted: Path, otherwise: Path, taken: set[str]) -> Path:
    """Return the first of the wanted paths that no scan has yet, and take it."""
    numbered = (otherwise.with_name(f"{otherwise.name}-{n}") for n in itertools.count(2))
    choices = itertools.chain((wanted, otherwise), numbered)
    free = next(path for path in choices if _shown(path).casefold() not in taken)
    taken.add(_shown(free).casefold())
    return free


def _as_name(text: str) -> str:
    """Turn a scanner's description into a name that every file system takes."""
    name = re.sub(r"[^\w.+-]+", "_", text).strip("._")
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")


def _shown(path: Path) -> str:
    return str(PurePosixPath(*path.parts))
