"""What to tell a person about a job whose process is gone without a word."""

from __future__ import annotations

import signal
from pathlib import Path

from medssl.events import State
from medssl.jobs.files import LOG_FILE

_WINDOWS_CRASH = 0xC0000000  # the first of Windows's codes for errors
_KILLED = -9  # SIGKILL, which Windows's Python does not name
_REMEDY = "Resume the job; it goes on from what it had kept."

INTERRUPTED = State(
    state="failed",
    error="The job was interrupted: its process ended while nobody watched.",
    remedy=_REMEDY,
)


def lost(exit_code: int | None, folder: Path) -> State:
    """The last state of a job whose process ended under our eyes before it could write one.

    Args:
        exit_code: as `subprocess` tells it, negative for a signal; None when it is not known.
        folder: of the job.
    """
    if exit_code is None:
        return _failed("The job's process ended suddenly.", _REMEDY)
    if exit_code == _KILLED:
        return _failed(
            "The job's process was killed from outside: by the system, most likely because memory ran out, "
            "or by a person.",
            f"Close other programs. {_REMEDY}",
        )
    if exit_code == -signal.SIGTERM:
        return _failed("The job's process was ended from outside.", "Resume the job.")
    if exit_code < 0 or exit_code >= _WINDOWS_CRASH:
        return _failed(
            f"The job's process crashed ({_name(exit_code)}).",
            f"Resume the job; if it happens again, please report it with the file {folder / LOG_FILE}.",
        )
    return _failed(
        f"The job's process ended with the exit code {exit_code} before it could say why.",
        f"The file {folder / LOG_FILE} may tell; please report it.",
    )


def _failed(error: str, remedy: str) -> State:
    return State(state="failed", error=error, remedy=remedy)


def _name(exit_code: int) -> str:
    if exit_code > 0:
        return f"{exit_code:#x}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
