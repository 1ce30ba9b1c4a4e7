"""What a folder run has written, so that the next one skips it and never touches a file of somebody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeAlias

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from medssl.errors import StorageError
from medssl.imaging.own_files import LEDGER_NAME, RESULTS_FOLDER
from medssl.inference.content import Content, sha256_of
from medssl.inference.source import Source
from medssl.storage import publish, storage_error, supersede

FOLDER = RESULTS_FOLDER  # inside the output folder: the ledger, its lock and unfinished files
_LOCK = "lock"


class Measurements(BaseModel):
    """What is known of a segmentation.

    Attributes:
        volumes_ml: volume in ml by segment.
        score: 0 for certain to 1 for uncertain.
        worst_slice: index along z of the slice to look at first.
        seconds: from the beginning of reading to the end of computing; waiting for other scans counts.
    """

    model_config = ConfigDict(frozen=True)

    volumes_ml: dict[str, float]
    score: float
    worst_slice: int
    seconds: float


class _Row(BaseModel):
    """A file that a run wrote: its path below the output folder and what it holds."""

    model_config = ConfigDict(frozen=True)

    path: str
    bytes: int
    sha256: str


class SegmentationRow(_Row):
    """The segmentation of one scan, and what is needed to know later whether it still holds."""

    kind: Literal["segmentation"] = "segmentation"
    scan: str
    source: str = Field(description="Fingerprint of the scan's files when they were read.")
    place: str = Field(default="", description="Where they lay, as a digest; '' in older rows.")
    content: Content | None = Field(default=None, description="What they held; None in those too.")
    shown: str = Field(default="", description="Where the scan is, for tables.")
    model_id: str
    fractional: bool = Field(default=False, description="Whether it keeps each segment's probability.")
    report: bool = Field(default=False, description="Whether a report of the volumes was made with it.")
    measured: Measurements


class TableRow(_Row):
    """The table of a run."""

    kind: Literal["table"] = "table"


class ReportRow(_Row):
    """The volumes of one scan as a DICOM report."""

    kind: Literal["report"] = "report"


LedgerRow: TypeAlias = Annotated[SegmentationRow | TableRow | ReportRow, Field(discriminator="kind")]
_ROW: TypeAdapter[LedgerRow] = TypeAdapter(LedgerRow)


class Ledger:
    """The ledger of one output folder: JSON lines, one a written file, in `.medssl/ledger.jsonl`.

    A row is on the disk before its file has its name. A kill between the two leaves a row whose file is not
    there, and the scan is done again; it never leaves a file of ours that we do not know.

    Args:
        output: the output folder; it need not exist.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self._path = output / FOLDER / LEDGER_NAME
        self._contents: dict[str, set[tuple[int, str]]] = {}
        self._segmentations: dict[str, SegmentationRow] = {}  # by path, the newest last
        for row in _read_rows(self._path):
            self._remember(row)

    def segmentation(self, scan: str) -> SegmentationRow | None:
        """The newest segmentation of a scan whose file is still there, whoever changed it since."""
        return next((row for row in reversed(self.segmentations()) if row.scan == scan), None)

    def segmentation_at(self, path: Path) -> SegmentationRow | None:
        """The newest segmentation that was written to a file which is still there."""
        row = self._segmentations.get(self._name(path))
        return row if row is not None and path.is_file() else None

    def segmentations(self) -> list[SegmentationRow]:
        """The segmentations whose files are still there, whoever changed them since; the newest last."""
        return [row for row in self._segmentations.values() if (self.output / row.path).is_file()]

    def has_written(self, path: Path) -> bool:
        """Whether a run wrote a file that is still there, whoever changed it since."""
        return self._name(path) in self._contents and path.is_file()

    def is_ours(self, path: Path) -> bool:
        """Whether a file is, byte for byte, one that a run wrote here: only then may it be replaced."""
        known = self._contents.get(self._name(path), set())
        try:
            size = path.stat().st_size
            return any(size == bytes_ for bytes_, _ in known) and (size, sha256_of(path)) in known
        except OSError:
            return False

    def publish(self, staged: Path, row: LedgerRow) -> None:
        """Write the row down, then give a finished file its name; see `describe` for the row's first fields.

        Raises:
            StorageError: a file of somebody else has the name, the disk is full, the folder may not be
                written.
        """
        target = self.output / row.path
        replaces = target.exists()
        if replaces and not self.is_ours(target):
            raise not_ours(target)
        self._append(row)
        (supersede if replaces else publish)(staged, target)
        self._remember(row)

    def renew(self, row: SegmentationRow, source: Source, fingerprint: str) -> SegmentationRow:
        """Write down that a scan, whose segmentation stays as it is, lies where a source does.

        The next run, and who looks for the scan of a result, finds it by this.

        Raises:
            StorageError: the disk is full, the folder may not be written.
        """
        known = {"source": fingerprint, "place": source.place, "shown": source.shown}
        renewed = row.model_copy(update=known)
        self._append(renewed)
        self._remember(renewed)
        return renewed

    def describe(self, staged: Path, target: Path) -> tuple[str, int, str]:
        """Return `path`, `bytes` and `sha256` of a row, for a finished file that shall become `target`."""
        return self._name(target), staged.stat().st_size, sha256_of(staged)

    def _append(self, row: LedgerRow) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A kill may have left half a line; its beginning must not swallow this one.
            with self._path.open("ab+") as file:
                if file.seek(0, os.SEEK_END) and not _ends_a_line(self._path):
                    file.write(b"\n")
                file.write(row.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise storage_error(error, self.output / row.path) from error

    def _remember(self, row: LedgerRow) -> None:
        self._contents.setdefault(row.path, set()).add((row.bytes, row.sha256))
        if isinstance(row, SegmentationRow):
            self._segmentations.pop(row.path, None)
            self._segmentations[row.path] = row

    def _name(self, path: Path) -> str:
        return PurePosixPath(path.relative_to(self.output)).as_posix()


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep other runs out of an output folder; the lock goes with the process, however that ends.

    Raises:
        StorageError: another run is at work there, or the folder may not be written.
    """
    try:
        (output / FOLDER).mkdir(parents=True, exist_ok=True)
        lock = FileLock(output / FOLDER / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StorageError(
            f"Another run is writing segmentations to {output}.",
            "Wait for it, or choose another output folder.",
        ) from error
    except OSError as error:
        raise storage_error(error, output) from error
    try:
        yield
    finally:
        lock.release()


def not_ours(target: Path) -> StorageError:
    """The error for a file that stands where an output should go and that we may not replace."""
    return StorageError(
        f"{target} exists and is not as MedSSL wrote it, so it was left alone.",
        "Move it away, or choose another output folder.",
    )


def _read_rows(path: Path) -> Iterator[LedgerRow]:
    """Yield the rows that can be read; without its row a file counts as somebody else's, and is safe."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(
            f"{path} could not be read: {error.strerror or error}.", "Choose another output folder."
        ) from error
    for line in lines:
        row = _parse(line)
        if row is not None:
            yield row


def _parse(line: bytes) -> LedgerRow | None:
    try:
        return _ROW.validate_json(line)
    except ValidationError:
        return None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
