"""Writing files so that a kill at any moment leaves either the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medssl.errors import StorageError

_PARTIAL = ".partial-"  # leads the name of a file or folder that is being written
NOTHING_CAN_BE_WRITTEN = {errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
_PATIENCE_S = 1.0 if os.name == "nt" else 0.0  # with who reads a file, which Windows keeps until then
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)  # network and foreign file systems


def storage_error(error: OSError, path: Path) -> StorageError:
    """Say what an operating system's refusal means for the person, and what to do."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return StorageError(
            f"The disk is full: {path} could not be written.", "Free some space and try again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(
            f"{path} may not be written.", "Choose another folder, or ask for permission to write there."
        )
    if error.errno == errno.ENAMETOOLONG:
        return StorageError(
            f"The path {path} is too long for this computer.", "Choose a shorter folder or name."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return StorageError(
            f"{path} could not be written: a file stands where a folder is needed.",
            "Choose another folder, or move that file away.",
        )
    if error.errno == errno.EISDIR:
        return StorageError(
            f"{path} could not be written: it is a folder.", "Choose another name, or move that folder away."
        )
    return StorageError(
        f"{path} could not be written: {error.strerror or error}.", "Check the disk and try again."
    )


def is_held(error: StorageError, target: Path) -> bool:
    """Whether a file could not be replaced since it is open elsewhere, as Windows keeps what Excel shows."""
    return isinstance(error.__cause__, PermissionError) and target.is_file()


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; when the block ends well, it becomes `target` at once.

    The temporary name keeps the target's suffixes, because image libraries choose the format by them. On an
    error the temporary file is removed and `target` is as it was. An `OSError` of the block that names some
    other file, such as a source that cannot be read, is not about `target` and passes through.

    Raises:
        StorageError: the disk is full, the folder may not be written.
    """
    # A short name of its own: a long target's name plus a prefix could pass the 255 bytes a name may have.
    suffix = "".join(target.suffixes[-2:]) if len("".join(target.suffixes[-2:])) <= 16 else target.suffix
    temporary = target.parent / f"{_partial_name()}{suffix}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _settle(temporary, target)
    except OSError as error:
        if _names_another_file(error, temporary, target):
            raise
        raise storage_error(error, target) from error
    finally:
        # The unlink meets the same obstacle as the writing did; that one has been told.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder inside `folder` to write in; see `publish`. What is left in it at the end is removed.

    Raises:
        StorageError: the disk is full, the folder may not be written.
    """
    staging = folder / _partial_name()
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(staged: Path, target: Path) -> None:
    """Give a finished file or folder its lasting name, at once and on the disk; never over an existing one.

    Two programs that may publish the same name need a lock of their own, such as a database transaction: with
    `make_durable` before it and `give_name` in it, nobody waits for the disk to take the content.

    Raises:
        StorageError: `target` exists, the disk is full, the folder may not be written.
    """
    make_durable(staged)
    give_name(staged, target)


def make_durable(staged: Path) -> None:
    """Bring a finished file, or all that a folder holds, onto the disk, which may take long.

    Raises:
        StorageError: the disk is full, or gives up.
    """
    try:
        for path in [staged, *staged.rglob("*")]:
            if path.is_file():
                _sync_file(path)
            else:
                _sync_folder(path)
    except OSError as error:
        raise storage_error(error, staged) from error


def give_name(durable: Path, target: Path, patience_s: float = _PATIENCE_S) -> None:
    """Give a file or folder that is on the disk its lasting name there; see `publish`.

    Raises:
        StorageError: `target` exists, the disk is full, the folder may not be written.
    """
    try:
        if target.exists():
            raise StorageError(f"{target} exists already.", "Move it away, so that nothing is overwritten.")
        target.parent.mkdir(parents=True, exist_ok=True)
        _patiently(lambda: durable.rename(target), patience_s)
        _sync_folder(target.parent)
    except OSError as error:
        raise storage_error(error, target) from error


def supersede(staged: Path, target: Path) -> None:
    """Give a finished file its lasting name, at once and on the disk, in place of the file that has it.

    Raises:
        StorageError: the disk is full, the folder may not be written, or another program holds `target`.
    """
    try:
        _settle(staged, target)
    except OSError as error:
        raise storage_error(error, target) from error


def replace_file(temporary: Path, target: Path, patience_s: float = _PATIENCE_S) -> None:
    """Give a finished file its name at once, in place of the one that has it.

    Windows refuses while somebody reads that one, which is over in a moment.

    Raises:
        OSError: it cannot be done, or not within `patience_s` seconds.
    """
    _patiently(lambda: temporary.replace(target), patience_s)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(target: Path, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


@contextmanager
def removal(folder: Path, patience_s: float = _PATIENCE_S) -> Iterator[None]:
    """Take a folder's name away; when the block ends well it is removed, and otherwise it has its name again.

    A folder that is not there is no error. What a program opens in between, so that Windows keeps it, goes
    with `remove_partial_files`.

    Raises:
        StorageError: a program has a file of it open, or the folder may not be written.
    """
    leaving = folder.parent / _partial_name()
    if folder.exists():
        try:
            _patiently(lambda: folder.rename(leaving), patience_s)
        except OSError as error:
            raise StorageError(
                f"{folder} cannot be removed: {error.strerror or error}.",
                "Close the program that has a file of it open, or ask for permission to write there.",
            ) from error
    try:
        yield
    except BaseException:
        with suppress(OSError):  # it was not there, or cannot come back; the block's own error says more
            leaving.rename(folder)
        raise
    shutil.rmtree(leaving, ignore_errors=True)


def remove_partial_files(folder: Path, older_than_s: float = 3600.0) -> int:
    """Remove what killed processes left behind in a folder; returns how many files and folders that were.

    What is younger than `older_than_s` seconds stays: another process may be writing it now.
    """
    removed = 0
    for path in folder.glob(f"{_PARTIAL}*"):
        with suppress(OSError):  # another process removed it first, or holds it open: it goes next time
            if time.time() - path.stat().st_mtime < older_than_s:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            removed += 1
    return removed


def _patiently(rename: Callable[[], object], patience_s: float) -> None:
    give_up = time.monotonic() + patience_s
    while True:
        try:
            rename()
            return
        except PermissionError:
            if time.monotonic() >= give_up:
                raise
        time.sleep(0.02)


def _partial_name() -> str:
    return f"{_PARTIAL}{uuid.uuid4().hex[:12]}"


def _names_another_file(error: OSError, temporary: Path, target: Path) -> bool:
    """Whether the error is about a file that is neither the one being written nor a folder above it."""
    if not isinstance(error.filename, (str, bytes)):
        return False
    named = Path(os.fsdecode(error.filename))
    return named not in (temporary, target, *target.parents)


def _settle(written: Path, target: Path) -> None:
    """Let a written file take a name, so that also a power cut leaves either the old file or this one."""
    _sync_file(written)
    replace_file(written, target)
    _sync_folder(target.parent)


def _sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb+") as written:
        os.fsync(written.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename itself durable; Windows has no such call and does not need it."""
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        # The file has its name already; only file systems without this call may go on without it.
        if error.errno not in _NO_FOLDER_SYNC:
            raise
