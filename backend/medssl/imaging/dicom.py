"""DICOM series: which ones a folder holds, which of them are volumes, and reading those with exact geometry.

Source: DICOM PS3.3, C.7.6.2 (Image Plane Module): the position and orientation of a slice in the patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from medssl.errors import ImageError
from medssl.imaging.dicom_files import Slice, read_slice
from medssl.imaging.dicom_geometry import stack
from medssl.imaging.formats import suffix_of
from medssl.imaging.headers import EXPORT_AGAIN
from medssl.imaging.itk import array_of
from medssl.imaging.volume import Grid, Volume


@dataclass(frozen=True)
class Series:
    """One DICOM series, and whether it is a volume.

    Attributes:
        uid: the Series Instance UID.
        description: what the scanner calls it; may be empty.
        modality: `MR`, `CT`, ...
        files: its images, sorted along the normal of the slices.
        grid: where its voxels lie; None when it is no volume.
        refusal: why it cannot be read as a volume, with a remedy; None when it can.
    """

    uid: str
    description: str
    modality: str
    files: tuple[Path, ...]
    grid: Grid | None
    refusal: ImageError | None

    @property
    def folder(self) -> Path:
        """The folder that holds all of its files, at whatever depth."""
        first = self.files[0].parent
        return next(f for f in (first, *first.parents) if all(f in file.parents for file in self.files))

    @property
    def problem(self) -> str | None:
        """Why it cannot be read, as text."""
        return None if self.refusal is None else str(self.refusal)


def list_series(folder: Path, recursive: bool = True) -> list[Series]:
    """Find the DICOM series of a folder, sorted by folder, number and description.

    Files that are not DICOM, or hold no image, are passed over. A series whose files lie in several folders
    is one series; a file that is there twice counts once.

    Raises:
        ImageError: there is no such folder, or it may not be read.
    """
    if not folder.is_dir():
        raise ImageError(f"There is no folder {folder}.", "Check the path.")
    try:
        found = folder.rglob("*") if recursive else folder.iterdir()
        files = sorted(f for f in found if not _is_hidden(f, folder) and suffix_of(f) is None and f.is_file())
    except PermissionError as error:
        raise ImageError(f"{error.filename} may not be read.", "Ask for permission to read it.") from error
    return series_of(files)


def series_of(files: Iterable[Path]) -> list[Series]:
    """Sort files into DICOM series; what is not DICOM, or no image, is passed over."""
    groups: dict[str, dict[str, Slice]] = {}
    for file in files:
        part = read_slice(file)
        if part is not None:
            groups.setdefault(part.series_uid, {}).setdefault(part.image_uid, part)
    slices = [list(group.values()) for group in groups.values()]
    slices.sort(key=lambda s: (str(s[0].path.parent), s[0].number, s[0].description, s[0].series_uid))
    return [_series(group) for group in slices]


def read_series(series: Series) -> Volume:
    """Read a series' voxels, in the units of its modality (CT: Hounsfield).

    Raises:
        ImageError: it is no volume, or one of its files is damaged.
    """
    grid = series_grid(series)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in series.files])
    try:
        array = array_of(reader.Execute())
    except RuntimeError as error:
        raise _damaged(series.files, error) from error
    if array.shape != grid.shape:
        raise ImageError(
            f"The series in {series.folder} has slices of different sizes or kinds.", EXPORT_AGAIN
        )
    return Volume(array, grid)


def series_grid(series: Series) -> Grid:
    """Return where a series' voxels lie, or raise the `ImageError` that it is no volume."""
    if series.refusal is not None or series.grid is None:
        raise series.refusal or ImageError(f"The series in {series.folder} is no volume.", "Choose another.")
    return series.grid


def only_series(folder: Path) -> Series:
    """Return the one series of a folder that is a volume, or its only one.

    Raises:
        ImageError: there is none, or there are several.
    """
    found = list_series(folder)
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
    names = "; ".join(f"{s.description or 'no name'} ({s.modality}, {len(s.files)} images)" for s in usable)
    raise ImageError(
        f"{folder} holds {len(usable)} DICOM series: {names}.",
        "Choose a folder with one series, or segment the folder as a batch.",
    )


def _series(slices: Sequence[Slice]) -> Series:
    first = slices[0]
    grid, refusal, ordered = None, None, list(slices)
    try:
        grid, ordered = stack(slices)
    except ImageError as error:
        refusal = error
    return Series(
        uid=first.series_uid,
        description=first.description,
        modality=first.modality,
        files=tuple(part.path for part in ordered),
        grid=grid,
        refusal=refusal,
    )


def _damaged(files: Sequence[Path], error: RuntimeError) -> ImageError:
    """Find the file that ITK's message is about."""
    guilty = next((file for file in files if str(file) in str(error)), files[0])
    return ImageError(f"{guilty} is damaged, or packed in a way that cannot be read.", EXPORT_AGAIN)


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
