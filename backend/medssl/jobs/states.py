"""What state a job is really in, and asking one that runs in another process to stop."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, TypeAlias

import psutil

from medssl.errors import ProjectError, UsageError
from medssl.events import JobState
from medssl.jobs.files import CANCEL_FILE
from medssl.storage import write_text

if TYPE_CHECKING:
    from medssl.project import JobRow, Project

SeenState: TypeAlias = Literal[JobState, "interrupted"]
"""A state as it is written down, or `interrupted`: its process is gone without writing the last one."""

_CLOCK_S = 2.0  # by how much the clocks of the process table and of the project may differ


def job_state(row: JobRow) -> SeenState:
    """The state of a job, after a look whether the process that should be running it is alive."""
    if row.state not in ("running", "cancelling"):
        return row.state
    if row.host not in (None, socket.gethostname()):
        return row.state  # nobody here can look
    if find_process(row) is None:
        return "interrupted"
    return "cancelling" if (row.folder / CANCEL_FILE).exists() else row.state


def find_process(row: JobRow) -> psutil.Process | None:
    """The living process on this computer that runs a job, or None."""
    if row.process_id is None or row.started is None:
        return None
    try:
        process = psutil.Process(row.process_id)
        began = datetime.fromtimestamp(process.create_time(), tz=timezone.utc)
        # A process that began after the job was started only has the number of the one that ran it.
        late = (began - row.started).total_seconds() > _CLOCK_S
        return None if late or process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def cancel_job(project: Project, job_id: str, *, wait_s: float = 30.0) -> SeenState:
    """Ask a running job to stop, wait for it, and end its whole process tree when it does not.

    Returns the state it ended in: `cancelled`, `interrupted` when it had to be ended, or what it reached by
    itself in the meantime.

    Raises:
        UsageError: the job does not run.
        ProjectError: it runs on another computer and has not stopped in time.
    """
    row = project.job(job_id)
    state = job_state(row)
    if state == "queued":
        project.set_job_state(row.id, "cancelled")
        return "cancelled"
    if state not in ("running", "cancelling"):
        raise UsageError(f"The job {row.id} is {state}; there is nothing to cancel.")
    write_text(row.folder / CANCEL_FILE, "")
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        time.sleep(0.1)
        state = job_state(project.job(job_id))
        if state not in ("running", "cancelling"):
            return state
    process = find_process(project.job(job_id))
    if process is None:
        raise ProjectError(
            f"The job {row.id} runs on {row.host} and has not stopped within {wait_s:.0f} s.",
            "It will stop when it next looks; or end its process there.",
        )
    _end(process)
    return job_state(project.job(job_id))


def _end(process: psutil.Process) -> None:
    """End a process and everything it started."""
    try:
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        _kill(member)
    psutil.wait_procs(family, timeout=5)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise ProjectError(
            f"The process {process.pid} may not be ended.", "Ask the person who started it."
        ) from error
