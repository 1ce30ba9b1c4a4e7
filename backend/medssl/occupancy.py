"""Jobs that run in an environment, seen by `bootstrap.py`, which removes it.

Standard library only, and Python 3.9, because 3D Slicer's Python imports it too.

A job outlives the engine that started it, so that no engine need know of it. Its process holds a lock on a
file in the environment; however it ends, the operating system lets go of that lock.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

STAMP = "medssl-environment.json"
"""The file that is in every environment which `bootstrap.py` made."""

_PREFIX, _SUFFIX = "medssl-job-", ".lock"


@contextmanager
def occupying(text: str) -> Iterator[None]:
    """Show until the block ends that this process needs the environment it runs in.

    Only where `bootstrap.py` made that: it removes no other one. Where nothing may be written, nothing shows.

    Args:
        text: what runs, for a person.
    """
    folder = Path(sys.prefix)
    file: IO[bytes] | None = None
    if (folder / STAMP).is_file():
        with suppress(OSError):
            file = _mark(folder, text)
    try:
        yield
    finally:
        if file is not None:
            file.close()
            with suppress(OSError):  # somebody looks at it on Windows; what nobody locks says nothing
                Path(file.name).unlink()


def occupants(environment: Path) -> list[str]:
    """What runs in an environment: the texts that were given to `occupying`.

    Raises:
        OSError: that may not be looked at.
    """
    found = []
    for path in sorted(environment.glob(f"{_PREFIX}*{_SUFFIX}")):
        with suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:  # it ends just now
            if not try_lock(file):
                file.seek(1)
                found.append(file.read().decode("utf-8", "replace"))
    return found


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file's first byte, which Windows then lets nobody else read; False when it is locked."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _mark(folder: Path, text: str) -> IO[bytes]:
    number, name = tempfile.mkstemp(_SUFFIX, _PREFIX, folder)
    os.close(number)
    file = Path(name).open("r+b", buffering=0)  # noqa: SIM115 - who gets it closes it
    try:
        file.write(b"\n" + text.encode("utf-8", "surrogateescape"))
        try_lock(file)
    except OSError:  # a file system without locks
        file.close()
        Path(name).unlink()
        raise
    return file
