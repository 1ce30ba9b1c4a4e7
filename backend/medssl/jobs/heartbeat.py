"""A running job's signs of life, for those who cannot look at its process: it is on another computer, or was.

A computer may have had another name when the job began, every container has a new one, and a project on a
network drive is open on several computers. While a job runs, its process rewrites a small file again and
again. What counts is how long ago that was by the clock of the file system, which all of them share.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from medssl.errors import StorageError
from medssl.host import computer_id
from medssl.processes import process_mark, process_space
from medssl.storage import write_text

if TYPE_CHECKING:
    from medssl.project import JobRow

ALIVE_FILE = "alive.json"
SILENT_S = 300.0
"""After so long without a sign of life, a job that nobody here can look at counts as interrupted."""

_BEAT_S = 20.0
# Versions that wrote no such file: their last event or checkpoint may be long ago though they compute.
_SILENT_WITHOUT_FILE_S = 3600.0


class _Runner(BaseModel):
    """The process that runs a job, and where somebody must be who says that it is gone."""

    model_config = ConfigDict(frozen=True)

    computer: str
    process_space: str
    process_id: int
    process_mark: str | None

    @classmethod
    def this_process(cls) -> _Runner:
        """Describe the process that asks."""
        own = os.getpid()
        return cls(
            computer=computer_id(),
            process_space=process_space(),
            process_id=own,
            process_mark=process_mark(own),
        )


@contextmanager
def heartbeat(folder: Path, on_lost: Callable[[], None]) -> Iterator[None]:
    """Let everybody see that this process runs the job with this folder, until the block ends.

    The file stays: a process that wakes after the one that took its job over is done must find that out.

    Args:
        folder: the job's.
        on_lost: called once, by another thread, when another process runs the job by now: this one was asleep
            for so long that it counted as interrupted.

    Raises:
        StorageError: the folder may not be written or the disk is full.
    """
    path, ended = folder / ALIVE_FILE, threading.Event()
    text = _Runner.this_process().model_dump_json(indent=2) + "\n"
    write_text(path, text)

    def beat() -> None:
        while not ended.wait(_BEAT_S):
            # A drive that cannot be reached for a while is no reason to end.
            with suppress(OSError, StorageError):
                if not _beat(path, text):
                    on_lost()
                    return

    thread = threading.Thread(target=beat, name="medssl heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(path: Path, text: str) -> bool:
    """Write the file anew; False when it is another process's.

    In place: a process that takes the job over gives the name to a new file, over which nothing is written.
    """
    try:
        with path.open("r+", encoding="utf-8", newline="\n") as file:
            if file.read() != text:
                return False
            file.seek(0)
            file.write(text)
    except FileNotFoundError:
        write_text(path, text)
    return True


def seems_alive(row: JobRow) -> bool:
    """Whether a job may be running where nobody here can look, given that its process was not found here."""
    if would_be_seen(row):
        return False
    if _runner(row) is None:
        return _silence_s(row.folder, row.folder.glob("*")) < _SILENT_WITHOUT_FILE_S
    return _silence_s(row.folder, [row.folder / ALIVE_FILE]) < SILENT_S


def would_be_seen(row: JobRow) -> bool:
    """Whether a look at this computer's processes shows the one of a job, if that lives."""
    runner = _runner(row)
    if runner is None:
        return row.host in (None, socket.gethostname())
    if runner.computer == computer_id():
        return True
    return runner.process_space != "" and runner.process_space == process_space()


def _runner(row: JobRow) -> _Runner | None:
    """What the process of a job left about itself; None where it left nothing that can be understood."""
    try:
        found = _Runner.model_validate_json((row.folder / ALIVE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    same = (found.process_id, found.process_mark) == (row.process_id, row.process_mark)
    return found if same else None


def _silence_s(folder: Path, paths: Iterable[Path]) -> float:
    """Seconds since the last of some files was written; also into the future, from which no beat comes."""
    last = -float("inf")
    for path in paths:
        with suppress(OSError):
            last = max(last, path.stat().st_mtime)
    return abs(_file_system_time(folder) - last)


def _file_system_time(folder: Path) -> float:
    """What time it is for the file system: on a network drive, its server's clock counts."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:  # it may not be written
        return time.time()
