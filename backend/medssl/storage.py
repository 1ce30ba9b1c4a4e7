"""Writing files so that a kill at any moment leaves either the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medssl.errors import StorageError

_PARTIAL = ".partial-"  # leads the name of a file that is being written


def storage_error(error: OSError, path: Path) -> StorageError:
    """Say what an operating system's refusal means for the person, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC):
        return StorageError(f"The disk is full: {path} could not be written.", "Free some space and try again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(
            f"{path} may not be written.", "Choose another folder, or ask for permission to write there."
        )
    if error.errno == errno.ENAMETOOLONG:
        return StorageError(f"The path {path} is too long for this computer.", "Choose a shorter folder or name.")
    return StorageError(f"{path} could not be written: {error.strerror or error}.", "Check the disk and try again.")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; when the block ends well, it becomes `target` at once.

    The temporary name keeps the target's suffixes, because image libraries choose the format by them. On an
    error the temporary file is removed and `target` is as it was.

    Raises:
        StorageError: the disk is full, the folder may not be written.
    """
    # A short name of its own: a long target's name plus a prefix could pass the 255 bytes a name may have.
    suffix = "".join(target.suffixes[-2:]) if len("".join(target.suffixes[-2:])) <= 16 else target.suffix
    temporary = target.parent / f"{_PARTIAL}{uuid.uuid4().hex[:12]}{suffix}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(target: Path, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def remove_partial_files(folder: Path) -> int:
    """Remove what killed processes left behind in a folder; returns how many files that were."""
    left = [path for path in folder.glob(f"{_PARTIAL}*") if path.is_file()]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _sync_folder(folder: Path) -> None:
    """Make a rename itself durable; Windows has no such call and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
