"""Reading a few named files of a zip or a folder of unknown origin, without unpacking or running anything."""

from __future__ import annotations

import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from medssl.errors import ModelError
from medssl.storage import atomic_path
from medssl.words import counted

_MOST_MEMBERS = 10_000
_BLOCK = 1 << 20
_BAD_ZIP = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError,
    ValueError,
)  # fmt: skip
_USUAL = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip's clock: the same files give the same bytes


class Source(ABC):
    """Files of unknown origin, by their paths with '/'."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """The files that there are."""

    @abstractmethod
    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file's content.

        Raises:
            ModelError: it is larger than `most_bytes`, or damaged.
        """


class _Folder(Source):
    @property
    def names(self) -> frozenset[str]:
        found = (path for path in self.path.rglob("*") if path.is_file() and not path.is_symlink())
        return frozenset(path.relative_to(self.path).as_posix() for path in found)

    def read(self, name: str, most_bytes: int) -> bytes:
        path = self.path / name
        try:
            if path.stat().st_size > most_bytes:
                raise _too_large(path, most_bytes)
            return path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


class _Zip(Source):
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        super().__init__(path)
        self._archive = archive
        self._members = {member.filename: member for member in _checked(archive, path) if not member.is_dir()}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._members)

    def read(self, name: str, most_bytes: int) -> bytes:
        content = bytearray()
        try:
            with self._archive.open(self._members[name]) as file:
                # What the directory says of the size may be a lie: what comes out counts.
                while block := file.read(_BLOCK):
                    content += block
                    if len(content) > most_bytes:
                        raise _too_large(self.path / name, most_bytes)
        except _BAD_ZIP as error:
            raise _damaged(self.path) from error
        return bytes(content)


@contextmanager
def opened_source(path: Path) -> Iterator[Source]:
    """Open a folder or a zip for reading.

    Raises:
        ModelError: it is neither, is damaged, or holds names that lead out of it.
    """
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        archive = zipfile.ZipFile(path)
    except _BAD_ZIP as error:
        raise _damaged(path) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    with archive:
        yield _Zip(path, archive)


def pack(folder: Path, target: Path, top: str = "") -> None:
    """Write the files of a folder as a zip, atomically; `top` is a folder inside the zip to put them in."""
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = (PurePosixPath(top) / path.relative_to(folder).as_posix()).as_posix()
            member = zipfile.ZipInfo(name, _EARLIEST)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            with path.open("rb") as file, archive.open(member, "w") as inside:
                while block := file.read(_BLOCK):
                    inside.write(block)


def _checked(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """The members of a zip whose directory can be trusted in what it names."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > _MOST_MEMBERS:
        raise ModelError(
            f"{path} holds {counted(len(members), 'file')}, which no model does.", "Choose another file."
        )
    if len({name.casefold() for name in names}) < len(names):
        raise ModelError(f"{path} holds two files of one name.", "Get it again from where it was exported.")
    if any(member.compress_type not in _USUAL for member in members):
        raise ModelError(f"{path} is packed in an unusual way.", "Pack it again as an ordinary zip.")
    for member in members:
        name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
        outside = PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts
        odd = "\\" in name or "\0" in name or PureWindowsPath(name).drive
        if outside or odd or kind == stat.S_IFLNK:
            raise ModelError(
                f"{path} holds a name that leads out of it ({name[:80]!r}).",
                "Do not use this file; ask where it comes from.",
            )
    return members


def _too_large(path: Path, most_bytes: int) -> ModelError:
    return ModelError(
        f"{path} is larger than {most_bytes >> 20} MiB, which no model's is.", "Choose another."
    )


def _damaged(path: Path) -> ModelError:
    return ModelError(f"{path} is not a zip, or a damaged one.", "Get it again from where it was exported.")
