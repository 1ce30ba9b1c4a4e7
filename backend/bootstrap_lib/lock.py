"""One process at a time changes an environment; the others wait for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from medssl.occupancy import try_lock

_POLL_S = 0.2


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[int]:
    """Hold the lock file `path`; calls `on_wait` once when another process holds it.

    The block receives the number of the open file. The operating system lets go of the lock when this process
    and those that inherited the file have ended, however they ended: a pip that outlives a killed bootstrap
    still changes the environment.
    """
    waited = False
    while True:
        file = path.open("a+b")
        if try_lock(file):
            if _is_current(file, path):
                break
        elif not waited:
            waited = True
            on_wait()
        file.close()
        time.sleep(_POLL_S if waited else 0)
    try:
        yield file.fileno()
    finally:
        file.close()


def _is_current(file: IO[bytes], path: Path) -> bool:
    """Whether the locked file is still the one at `path`: `remove` may have taken it away while we waited."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
