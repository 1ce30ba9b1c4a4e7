"""Starting the process of a job."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import medssl
from medssl.errors import MedSSLError
from medssl.jobs.files import LOG_FILE
from medssl.project import JobRow
from medssl.storage import storage_error

# They lead a child's Python astray: 3D Slicer and other programs with a Python of their own set them.
_REMOVED = frozenset(
    ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "PYTHONUSERBASE", "__PYVENV_LAUNCHER__")
)
WORKER = "medssl.jobs.worker"
LEFT_WAITING = 75
"""A worker's exit code when another training has the device; the job waits on. BSD's `EX_TEMPFAIL`."""
_PACKAGES = Path(medssl.__file__).parents[1]


def open_log(row: JobRow) -> BinaryIO:
    """Open the file for what the worker of a job prints.

    Raises:
        StorageError: it cannot be written.
    """
    path = row.folder / LOG_FILE
    try:
        return path.open("ab")
    except OSError as error:
        raise storage_error(error, path) from error


def start_worker(project: Path, row: JobRow, log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a worker process for a queued job; what it prints goes into `log`, which may be closed then.

    It belongs to no terminal and to no window, so that it outlives whoever started it. The project's disk is
    not touched here: this takes moments also where that does not answer.

    Raises:
        MedSSLError: the system starts no more processes.
    """
    try:
        return subprocess.Popen(
            [sys.executable, "-m", WORKER, str(project), row.id],
            # Before 3.11, Python looks for modules in this folder first; others may write in a job's.
            cwd=_PACKAGES,
            env=worker_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=_detached(),
        )
    except OSError as error:
        raise MedSSLError(
            f"The process of the job {row.id} could not be started: {error.strerror or error}.",
            "Close other programs and resume the job.",
        ) from error


def worker_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a worker: those of this process without what leads its Python astray."""
    kept = {name: value for name, value in variables.items() if name.upper() not in _REMOVED}
    kept |= {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    # A checkout, which only its path makes known.
    if _PACKAGES.name not in ("site-packages", "dist-packages"):
        kept["PYTHONPATH"] = str(_PACKAGES)
    return kept


def _detached() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
