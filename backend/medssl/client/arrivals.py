"""Results of an engine elsewhere on their way to this computer, where they replace nothing of a person's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain, count
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from medssl.client.connection import EngineError
from medssl.client.transfers import sha256_of
from medssl.errors import StorageError
from medssl.storage import publish, staging_folder, storage_error, supersede

if TYPE_CHECKING:
    from medssl.client.client import Client

_NOT_FOUND = "not_found"  # the engine's code for a path at which nothing is


@dataclass(frozen=True)
class Arrived:
    """What was fetched.

    Attributes:
        here: the file or the folder with the results; not the one that was asked for where others wrote
            there in the meantime.
        left: files that were left as they are, since they are not as they were fetched before.
    """

    here: Path
    left: tuple[Path, ...]


@dataclass(frozen=True)
class _Row:
    """A file when it was written: where the results are, its path from there, and what it held."""

    here: str
    path: str
    bytes: int
    sha256: str


class Arrivals:
    """The files that one job's results became here: JSON lines, as in the ledger of a folder run.

    A row is on the disk before its file has its name. Only a file that is, byte for byte, as its row says is
    replaced when the results are fetched again, such as those of a job that was cancelled and went on.

    Args:
        folder: where this is kept; it need not exist.
        job: id of the job.
    """

    def __init__(self, folder: Path, job: str) -> None:
        self._path = folder / f"{file_name_of(job)}.jsonl"
        rows = list(_read_rows(self._path))
        self._rows = set(rows)
        self._here = rows[-1].here if rows else ""

    def forget(self) -> None:
        """Keep nothing more: the results are not fetched again."""
        self._path.unlink(missing_ok=True)
        self._rows, self._here = set(), ""

    def agree(self, target: Path) -> None:
        """Take note that a person wants results in place of the file that is there now; none may be there.

        Raises:
            StorageError: it cannot be read, or the disk is full.
        """
        if target.is_file():
            self._note(_row(target, target, target), target)

    def place(self, wanted: Path, is_folder: bool) -> Path:
        """Say where the results go: to those that are here already, else to a path at which nothing is.

        Raises:
            StorageError, OSError: what is there cannot be looked at.
        """
        here = Path(self._here)
        if self._here and (is_folder or not here.exists() or _row(here, here, here) in self._rows):
            return here
        stem, suffix = (wanted.name, "") if is_folder else (wanted.stem, wanted.suffix)
        others = (wanted.with_name(f"{stem} {number}{suffix}") for number in count(2))
        return next(path for path in chain((wanted,), others) if not _is_taken(path))

    def settle(self, staged: Path, here: Path, target: Path) -> bool:
        """Give a file that arrived its name, unless that would replace one that is not ours.

        Args:
            staged: the file.
            here: the results, as `place` said.
            target: `here`, or the file's place in that folder.

        Raises:
            StorageError: the disk is full, or the folder may not be written.
        """
        arrived = _row(staged, here, target)
        if target.exists():
            found = _row(target, here, target)
            if found != arrived and found not in self._rows:
                return False
        self._note(arrived, target)
        (supersede if target.exists() else publish)(staged, target)
        return True

    def _note(self, row: _Row, target: Path) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._path.open("ab") as file:
                # A kill may have left half a line before this one.
                file.write(b"\n" + json.dumps(asdict(row)).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise storage_error(error, target) from error
        self._rows.add(row)
        self._here = row.here


def fetch(
    client: Client,
    there: str,
    here: Path,
    arrivals: Arrivals,
    told: Callable[[int, int], Any] = lambda done, total: None,
) -> Arrived:
    """Download a file, or all files of a folder, however deep.

    Args:
        client: of the engine.
        there: path on the engine's computer.
        here: where it is wanted on this one.
        arrivals: what was fetched of the same job before; knows afterwards what is fetched now.
        told: hears before each file how many of how many are done; what it raises ends the fetching.

    Raises:
        EngineError: the engine does not answer, has nothing there, or names a file as no engine of ours
            does; a file cannot be written here.
    """
    files = list(_files(client, there, ()))
    if not files:
        return Arrived(here, ())
    is_folder = files != [(there, ())]
    left: list[Path] = []
    try:
        place = arrivals.place(here, is_folder)
        with staging_folder(place if is_folder else place.parent) as staging:
            for number, (path, inside) in enumerate(files):
                told(number, len(files))
                target = place.joinpath(*inside)
                if not arrivals.settle(client.download(path, staging / target.name), place, target):
                    left.append(target)
    except StorageError as error:
        raise EngineError("file", error.what, error.remedy) from error
    except OSError as error:
        refused = storage_error(error, here)
        raise EngineError("file", refused.what, refused.remedy) from error
    told(len(files), len(files))
    return Arrived(place, tuple(left))


def file_name_of(job: str) -> str:
    """Name a file after a job: the engine made its id up, but does not say where our files are."""
    return "".join(character if character.isalnum() or character == "-" else "_" for character in job)


def _row(held: Path, here: Path, target: Path) -> _Row:
    """Describe what is, or is to be, at a path of the results, by a file that holds it.

    Raises:
        StorageError: there is none that can be read.
    """
    try:
        size, digest = held.stat().st_size, sha256_of(held)
    except OSError as error:
        raise StorageError(f"{held} cannot be read: {error.strerror or error}.", "Move it away.") from error
    return _Row(str(here), target.relative_to(here).as_posix(), size, digest)


def _files(client: Client, path: str, inside: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every file at a path of the engine's computer, with the names that lead to it from there."""
    try:
        found = client.folder(path)
    except EngineError as error:
        if error.code != _NOT_FOUND:
            raise
        yield path, inside  # it is no folder
        return
    entries = list(found.entries)
    while not found.complete:
        found = client.folder(path, offset=len(entries))
        entries += found.entries
    for entry in entries:
        # An engine says what its files are called, but not where on this computer they go.
        if not _is_plain(entry.name):
            raise EngineError(
                "file", f"The engine has a result with the name {entry.name!r}.", "Look at it there."
            )
        if entry.is_folder:
            yield from _files(client, entry.path, (*inside, entry.name))
        else:
            yield entry.path, (*inside, entry.name)


def _is_plain(name: str) -> bool:
    """Whether a name stays in the folder that it is put into; on Windows 'C:x' is on another disk."""
    return name not in ("", ".", "..") and not set(name) & {"/", "\\"} and not PureWindowsPath(name).drive


def _is_taken(path: Path) -> bool:
    """Whether somebody has put something there; what systems hide in folders does not count."""
    if path.is_dir():
        return any(not entry.name.startswith(".") for entry in path.iterdir())
    return path.exists()


def _read_rows(path: Path) -> Iterator[_Row]:
    """Yield the rows that can be read; without its row a file counts as somebody else's, and is safe."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, TypeError):  # it is empty, or half of one
            yield _Row(**json.loads(line))
