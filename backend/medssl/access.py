"""Looking at a path that a person gave: how it is shown, what is there, and that one may not know."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TypeVar

from medssl.errors import MedSSLError, StorageError
from medssl.storage import storage_error

_FORBIDDEN = (errno.EACCES, errno.EPERM)
_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP)
_NOTHING_THERE_ON_WINDOWS = (21, 123, 1921)  # drive not ready, no such name, link that leads nowhere
RefusalT = TypeVar("RefusalT", bound=MedSSLError)


def is_text(path: Path) -> bool:
    """Whether a path can be written as text; image libraries end the process over one that cannot."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(path: Path) -> Path:
    """Return a path that can be shown, with the bytes that are no text written out: `M\\xfcller`."""
    return path if is_text(path) else Path(os.fsencode(path).decode(errors="backslashreplace"))


def is_file(path: Path, refusal: type[MedSSLError]) -> bool:
    """Whether there is a file of this name.

    Raises:
        refusal: nobody can know: a folder above it may not be entered, or the name is too long.
    """
    try:
        return stat.S_ISREG(_mode(path))
    except OSError as error:
        raise cannot_be_read(error, path, refusal) from error


def is_folder(path: Path, refusal: type[MedSSLError]) -> bool:
    """Whether there is a folder of this name; for `refusal` see `is_file`."""
    try:
        return stat.S_ISDIR(_mode(path))
    except OSError as error:
        raise cannot_be_read(error, path, refusal) from error


def cannot_be_read(error: OSError, path: Path, refusal: type[RefusalT]) -> RefusalT:
    """Say what it means for the person that a path could not be looked at or read, and what to do."""
    shown = escaped(path)
    if error.errno in _FORBIDDEN:
        return refusal(f"{shown} may not be read.", "Ask for permission to read it.")
    if error.errno == errno.ENAMETOOLONG:
        told = storage_error(error, shown)
        return refusal(told.what, told.remedy)
    return refusal(f"{shown} cannot be read: {error.strerror or error}.", "Check the path and the disk.")


def refused_access(error: OSError, path: Path) -> StorageError:
    """Say what an error means of which nobody knows whether it met reading or writing."""
    if error.errno == errno.ENOENT:
        return StorageError(f"{escaped(path)} is not there.", "Check the path, and try again.")
    if error.errno == errno.EIO:
        return StorageError(f"{escaped(path)} could not be read or written: disk error.", "Check the disk.")
    return storage_error(error, path) if _can_be_read(path) else cannot_be_read(error, path, StorageError)


def _can_be_read(path: Path) -> bool:
    """Whether a path may be read, or could be if something were there; then an error is about writing."""
    try:
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            next(path.iterdir(), None)
        elif stat.S_ISREG(mode):  # and no pipe, which would wait for its other end
            path.open("rb").close()
    except OSError:
        return False
    return True


def _mode(path: Path) -> int:
    """Return what kind of file this is, as `stat` has it, or 0 when nothing is there.

    Since Python 3.14 `Path.is_file` and `is_dir` say of what may not be looked at that it is not there.

    Raises:
        OSError: nobody can know.
    """
    try:
        return path.stat().st_mode
    except ValueError:  # a name with a zero byte
        return 0
    except OSError as error:
        if error.errno in _NOTHING_THERE or getattr(error, "winerror", 0) in _NOTHING_THERE_ON_WINDOWS:
            return 0
        raise
