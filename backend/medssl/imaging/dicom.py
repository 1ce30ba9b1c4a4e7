"""DICOM series: which ones a folder holds, which of them are volumes, and reading those with exact geometry.

Source: DICOM PS3.3, C.7.6.2 (Image Plane Module): the position and orientation of a slice in the patient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medssl.access import cannot_be_read, is_folder
from medssl.errors import ImageError
from medssl.imaging.dicom_geometry import Placed, stack
from medssl.imaging.dicom_slices import SeriesHeader, Slice
from medssl.imaging.dicom_tilt import Tilt, straighten
from medssl.imaging.file_names import check_name
from medssl.imaging.finite import make_finite
from medssl.imaging.formats import SeriesNames, suffix_of
from medssl.imaging.headers import EXPORT_AGAIN
from medssl.imaging.volume import Grid, Volume
from medssl.words import counted

_HEARD_EVERY = 200  # files, about a quarter of a second


@dataclass(frozen=True)
class Series:
    """One DICOM series, and whether it is a volume.

    Attributes:
        header: what its images say of it.
        title: names it in messages.
        placed: its slices, sorted along their normal.
        grid: where its voxels lie; None when it is no volume.
        tilt: how its slices are shifted against that grid, after a tilted gantry; mostly None.
        refusal: why it cannot be read as a volume, with a remedy; None when it can.
        names: how it is called in messages and after it.
    """

    header: SeriesHeader
    title: str
    placed: tuple[Placed, ...]
    grid: Grid | None
    tilt: Tilt | None
    refusal: ImageError | None
    names: SeriesNames = "folders"

    @property
    def files(self) -> tuple[Path, ...]:
        """Its files, each once, in the order of its slices."""
        return tuple(dict.fromkeys(one.file for one in self.placed))

    @property
    def folder(self) -> Path:
        """The folder that holds all of its files, at whatever depth."""
        files = self.files
        first = files[0].parent
        return next(f for f in (first, *first.parents) if all(f in file.parents for file in files))

    @property
    def problem(self) -> str | None:
        """Why it cannot be read, as text."""
        return None if self.refusal is None else str(self.refusal)

    @property
    def neutral_name(self) -> str:
        """A name that tells nothing of the patient: `study-1c0f2a/series-012-9c41d0e2`."""
        return _neutral_name(self.header)


def list_series(folder: Path, recursive: bool = True) -> list[Series]:
    """Find the DICOM series of a folder, sorted by folder, number and description.

    Files that are not DICOM, or hold no image, are passed over. A series whose files lie in several folders
    is one series; a file that is there twice counts once.

    Raises:
        ImageError: there is no such folder, or it may not be read.
    """
    check_name(folder)
    if not is_folder(folder, ImageError):
        raise ImageError(f"There is no folder {folder}.", "Check the path.")
    try:
        found = folder.rglob("*") if recursive else folder.iterdir()
        files = sorted(f for f in found if not _is_hidden(f, folder) and suffix_of(f) is None and f.is_file())
    except PermissionError as error:
        raise cannot_be_read(error, Path(error.filename), ImageError) from error
    return series_of(files)


def series_of(
    files: Sequence[Path],
    names: SeriesNames = "folders",
    heard: Callable[[int, int], None] = lambda done, total: None,
    refused: Callable[[Path, ImageError], None] | None = None,
) -> list[Series]:
    """Sort files into DICOM series; what is not DICOM, or no image, is passed over.

    Args:
        files: the files.
        names: how the series are called; with `neutral`, nothing that they say of themselves holds a path or
            a text of a file.
        heard: told now and then how many files of how many were looked at; may raise to stop.
        refused: told of each file that cannot be opened, and the others go on.

    Raises:
        ImageError: a file cannot be opened, and nobody is to be told of it.
    """
    from medssl.imaging.dicom_files import read_slice  # here, so that the engine starts without it

    groups: dict[str, dict[Hashable, Slice]] = {}
    for number, file in enumerate(files):
        if number % _HEARD_EVERY == 0:
            heard(number, len(files))
        try:
            part = read_slice(file)
        except ImageError as error:
            if refused is None:
                raise
            refused(file, error)
            continue
        if part is not None:
            groups.setdefault(part.series.uid, {}).setdefault(part.identity, part)
    slices = [list(group.values()) for group in groups.values()]
    slices.sort(
        key=lambda s: (str(s[0].path.parent), s[0].series.number, s[0].series.description, s[0].series.uid)
    )
    return [_series(group, names) for group in slices]


def read_series(series: Series) -> Volume:
    """Read a series' voxels, in the units of its modality (CT: Hounsfield).

    A series of a tilted gantry comes on straight axes, and a note says so.

    Raises:
        ImageError: it is no volume, or one of its files is damaged.
        MissingPackageError: it is compressed in a way for which a package is missing.
    """
    from medssl.imaging.dicom_voxels import read_slices  # here, so that the engine starts without it

    grid = series_grid(series)
    array = read_slices(series.placed, series.title)
    notes: tuple[str, ...] = ()
    if array.ndim == 3 and series.tilt is not None and array.shape[1:] == series.tilt.size[::-1]:
        array = straighten(array, series.tilt, grid)
        notes = (
            f"{series.title} was taken with a gantry tilted by {series.tilt.degrees:.1f} degrees and was "
            "straightened.",
        )
    if array.shape != grid.shape:
        raise ImageError(f"{series.title} has slices of different sizes or kinds.", EXPORT_AGAIN)
    return Volume(array, grid, (*notes, *make_finite(array, series.title)))


def series_grid(series: Series) -> Grid:
    """Return where a series' voxels lie, or raise the `ImageError` that it is no volume."""
    if series.refusal is not None or series.grid is None:
        raise series.refusal or ImageError(f"{series.title} is no volume.", "Choose another.")
    return series.grid


def only_series(folder: Path) -> Series:
    """Return the one series of a folder, or of a single DICOM file, that is a volume, or its only one.

    Raises:
        ImageError: there is none, or there are several.
    """
    found = list_series(folder) if is_folder(folder, ImageError) else series_of([folder])
    if not found:
        raise ImageError(
            f"{folder} holds no DICOM images.", "Choose a folder with one DICOM series, or a file."
        )
    usable = [series for series in found if series.refusal is None]
    if len(usable) == 1 or len(found) == 1:
        return (usable or found)[0]
    if not usable:
        raise ImageError(
            f"{folder} holds {len(found)} DICOM series, none of which is a volume. {found[0].refusal}"
        )
    names = "; ".join(
        f"{s.header.description or 'no name'} ({s.header.modality}, {counted(len(s.placed), 'image')})"
        for s in usable
    )
    raise ImageError(
        f"{folder} holds {len(usable)} DICOM series: {names}.",
        "Choose a folder with one series, or segment the folder as a batch.",
    )


def _series(slices: Sequence[Slice], names: SeriesNames) -> Series:
    first = slices[0]
    header = replace(first.series, burnt_in=any(part.series.burnt_in for part in slices))
    title = f"The series '{first.series.description or first.series.uid}' in {first.path.parent}"
    of_slice = "{file}"
    if names == "neutral":
        title = f"The series {_neutral_name(first.series)}"
        of_slice = f"Image {{number}} of the series {_neutral_name(first.series)}"
    try:
        found = stack(slices, title, of_slice)
    except ImageError as error:
        unsorted = (Placed(part.path, 0, part.planes[0]) for part in slices)
        return Series(header, title, tuple(unsorted), None, None, error, names)
    return Series(header, title, found.placed, found.grid, found.tilt, None, names)


def _neutral_name(header: SeriesHeader) -> str:
    return f"study-{_short(header.study_uid, 6)}/series-{header.number:03d}-{_short(header.uid, 8)}"


def _short(uid: str, digits: int) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:digits]


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
