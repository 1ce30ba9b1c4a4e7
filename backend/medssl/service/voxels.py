"""Work on voxels, done in one process of its own: a file that kills a reader kills nothing else."""

from __future__ import annotations

import multiprocessing
import os
import threading
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar

import psutil

from medssl.errors import ImageError, StorageError, UsageError
from medssl.imaging.dicom import Series, read_series
from medssl.imaging.formats import DICOM_SUFFIX, suffix_of
from medssl.imaging.headers import open_header
from medssl.imaging.labels import match_schema, read_labels, read_values, write_labels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Grid
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema, Segment
from medssl.project import Annotation, Case, Project, Role
from medssl.storage import write_bytes

T = TypeVar("T")

_UPLOADED = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")
ARCHIVE = ".zip"  # of a model
_HEADER_BYTES = 1 << 16


class VoxelWorker:
    """A child process that reads and writes volumes, one request after the other; started when first needed.

    Threads may share it.
    """

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def add_case(
        self,
        folder: Path,
        name: str,
        channels: Sequence[Path],
        copy: bool,
        role: Role,
        must_be_scan: bool,
    ) -> Case:
        """See `Project.add_case`."""
        return self._run(_add_case, folder, name, tuple(channels), copy, role, must_be_scan)

    def save_annotation(
        self,
        folder: Path,
        case_id: int,
        labels: Path,
        author: str,
        seconds: float | None,
        seen_version: int | None,
    ) -> Annotation:
        """See `Project.save_annotation`."""
        return self._run(_save_annotation, folder, case_id, labels, author, seconds, seen_version)

    def correct(
        self,
        folder: Path,
        case: Case,
        labels: Path,
        author: str,
        seconds: float | None,
        seen_version: int | None,
    ) -> Annotation:
        """See `Project.correct`."""
        return self._run(_correct, folder, case, labels, author, seconds, seen_version)

    def check_upload(self, path: Path) -> Grid | None:
        """Look at the header of a file that came from another computer; the grid of a volume.

        What is in an archive is checked when it is imported, and whether the images of a DICOM series make a
        volume when they are read; both have no grid.

        Raises:
            ImageError: it is no volume, is damaged, points to other files, or needs more memory than is free.
            UsageError: its name is not that of a volume in one file, of a DICOM image, or of an archive.
        """
        return self._run(_check_upload, path)

    def sketch(self, image: Path, labels: Path | None, segments: Sequence[Segment], target: Path) -> bytes:
        """Draw a thumbnail of a scan with its segments, see `make_thumbnail`, and keep it in a file."""
        return self._run(_sketch, image, labels, tuple(segments), target)

    def convert(self, source: Path, target: Path) -> None:
        """Write a scan of many files, such as a DICOM series, into one file."""
        self._run(_convert, source, target)

    def convert_series(self, series: Series, target: Path) -> None:
        """Write one DICOM series, of which its folder may hold several, into one file."""
        self._run(_convert_series, series, target)

    def convert_labels(self, source: Path, schema: LabelSchema, target: Path) -> None:
        """Write a segmentation of any format, DICOM SEG included, as another, with the values of a schema."""
        self._run(_convert_labels, source, schema, target)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            pool = self._pool
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _run(self, work: Callable[..., T], *arguments: object) -> T:
        # The pool knows one piece of work at a time: when the process ends, those that wait are not to blame.
        with self._turn:
            try:
                return self._begin(work, *arguments).result()
            except BrokenProcessPool as error:
                raise ImageError(
                    "The process that read the volume ended: the volume is damaged, or too large for the "
                    "memory.",
                    "Export it again; or free some memory.",
                ) from error

    def _begin(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        with self._lock:
            # A process that ended with the work before this one, or without any, takes no more.
            with suppress(BrokenProcessPool):
                if self._pool is not None:
                    return self._pool.submit(work, *arguments)
            # Not forked: this process has threads.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent)
            return self._pool.submit(work, *arguments)


def _end_with_parent() -> None:
    """End this process when the service is killed: nobody would, and nobody else could, use it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


def _add_case(
    folder: Path, name: str, channels: tuple[Path, ...], copy: bool, role: Role, must_be_scan: bool
) -> Case:
    for path in channels:
        _check_size(path)
    with Project.open(folder) as project:
        return project.add_case(name, channels, copy=copy, role=role, must_be_scan=must_be_scan)


def _save_annotation(
    folder: Path,
    case_id: int,
    labels: Path,
    author: str,
    seconds: float | None,
    seen_version: int | None,
) -> Annotation:
    _check_size(labels)
    with Project.open(folder) as project:
        return project.save_annotation(
            case_id, labels, author=author, seconds=seconds, seen_version=seen_version
        )


def _correct(
    folder: Path, case: Case, labels: Path, author: str, seconds: float | None, seen_version: int | None
) -> Annotation:
    _check_size(labels)
    with Project.open(folder) as project:
        return project.correct(case, labels, author=author, seconds=seconds, seen_version=seen_version)


def _check_upload(path: Path) -> Grid | None:
    if path.suffix.lower() == ARCHIVE:
        if not zipfile.is_zipfile(path):
            raise UsageError(f"{path.name} is no zip archive, or not a whole one.", "Send it again.")
        return None
    if path.suffix.lower() == DICOM_SUFFIX:
        _check_dicom(path)
        return None
    if suffix_of(path) not in _UPLOADED:
        raise UsageError(
            f"{path.name} is not the name of a volume in one file.", f"End it in {', '.join(_UPLOADED)}."
        )
    _check_stands_alone(path)
    reader = open_header(path)
    _check_size(path)
    size = reader.GetSize()
    if len(size) < 3:
        raise ImageError(f"{path.name} has two dimensions.", "Use a scan of three dimensions.")
    spacing, origin = reader.GetSpacing(), reader.GetOrigin()
    direction = reader.GetDirection() if len(size) == 3 else (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return Grid(
        size=(size[0], size[1], size[2]),
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        origin_mm=(origin[0], origin[1], origin[2]),
        direction=tuple(direction),
    )


def _check_dicom(path: Path) -> None:
    from medssl.imaging.dicom_files import read_slice  # here, so that the service starts without it

    found = read_slice(path)
    if found is None:
        raise ImageError(f"{path.name} is no DICOM image.", "Send the images of one series.")
    _check_room(path, 8 * found.size[0] * found.size[1] * found.samples * found.frames)


def _check_stands_alone(path: Path) -> None:
    """Refuse a header that names another file for its voxels: it could name any file of this computer."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES).lower().replace(b"\r\n", b"\n")
    if path.name.lower().endswith(".nrrd"):
        fields, end, _ = head.partition(b"\n\n")
        # Without its end, the header goes on where nobody looked.
        elsewhere = not end or b"\ndatafile:" in fields.replace(b" ", b"")
    elif path.name.lower().endswith(".mha"):
        # The first word of that name must be the one that counts, and not one of a comment.
        before, _, after = head.partition(b"elementdatafile")
        elsewhere = before.rpartition(b"\n")[2].strip() != b"" or (
            after.partition(b"\n")[0].strip(b" =\t") != b"local"
        )
    else:
        elsewhere = False
    if elsewhere:
        raise ImageError(f"{path.name} has its voxels in another file.", "Save it as one file.")


def _check_size(path: Path) -> None:
    """Refuse a file whose voxels, unpacked, would not fit into the free memory: a bomb, or just too large."""
    if not path.is_file():
        return
    reader = open_header(path)
    needed = 8 * max(1, reader.GetNumberOfComponents())
    for n in reader.GetSize():
        needed *= n
    _check_room(path, needed)


def _check_room(path: Path, needed: int) -> None:
    # Compressors reach 1032 to 1; whatever promises more has no voxels behind its header.
    if needed > 8 * 1100 * max(1, path.stat().st_size):
        raise ImageError(
            f"{path} is damaged: its {path.stat().st_size} bytes cannot hold what its header promises.",
            "Copy or export it again from where it came.",
        )
    free = psutil.virtual_memory().available
    if needed // 4 > free:
        raise ImageError(
            f"{path} needs {needed / 8e9:.1f} GB or more of memory, and {free / 1e9:.1f} GB are free.",
            "Close other programs, crop the scan, or use a larger computer.",
        )


def _sketch(image: Path, labels: Path | None, segments: tuple[Segment, ...], target: Path) -> bytes:
    from medssl.reports.thumbnails import make_thumbnail  # here, so that the service starts without it

    _check_size(image)
    values = None if labels is None else read_values(labels).array
    picture = make_thumbnail(read_volume(image), values, segments)
    with suppress(StorageError):  # it is drawn again the next time
        write_bytes(target, picture)
    return picture


def _convert(source: Path, target: Path) -> None:
    write_volume(target, read_volume(source))


def _convert_series(series: Series, target: Path) -> None:
    write_volume(target, read_series(series))


def _convert_labels(source: Path, schema: LabelSchema, target: Path) -> None:
    labels = match_schema(read_labels(source), schema, str(source))
    write_labels(target, labels.array, labels.grid, schema)
