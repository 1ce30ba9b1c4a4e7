"""What state a job is really in, and asking one that runs in another process to stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, TypeAlias

from medssl.errors import ProjectError, UsageError
from medssl.events import JobState, Monitor, State
from medssl.jobs.files import CANCEL_FILE, JobFiles
from medssl.jobs.heartbeat import SILENT_S, seems_alive
from medssl.processes import end_tree, find_process
from medssl.storage import write_text

if TYPE_CHECKING:
    from medssl.project import JobRow, Project

SeenState: TypeAlias = Literal[JobState, "interrupted"]
"""A state as it is written down, or `interrupted`: its process is gone without writing the last one."""
STOP_S = 30.0
"""How long a job that was asked to stop may take; after that it is ended."""

SILENCE = (
    "If that computer is off, gone or has another name by now, the job counts as interrupted "
    f"{SILENT_S / 60:.0f} minutes after its last sign of life."
)
"""What to tell a person about a job that this computer cannot look at."""

ENDED = State(
    state="cancelled",
    error="The job did not stop when it was asked to, so its processes were ended.",
    remedy="It can be resumed, and goes on from what it had kept.",
)


def job_state(row: JobRow) -> SeenState:
    """The state of a job, after a look whether the process that should be running it is alive.

    Where nobody can look, because the process is of another computer or of another container, it is believed
    for as long as it gives signs of life; see `medssl.jobs.heartbeat`.
    """
    if row.state not in ("running", "cancelling"):
        return row.state
    return row.state if runs_here(row) or seems_alive(row) else "interrupted"


def runs_here(row: JobRow) -> bool:
    """Whether a process of this computer runs a job, whatever the computer was called when it began."""
    return find_process(row.process_id, row.process_mark) is not None


def ask_to_stop(project: Project, job_id: str) -> SeenState:
    """Ask a job to stop, and return at once: `cancelled` when it had not begun, otherwise `cancelling`.

    A job that ends in the moment of asking is seen in the state it ended in.

    Raises:
        UsageError: the job does not run.
        StorageError: the disk is full, so that the job cannot be told.
    """
    asked = False
    while True:
        row = project.job(job_id)
        state = job_state(row)
        if state == "queued":
            if close_job(project, row, State(state="cancelled")):
                return "cancelled"
        elif state in ("running", "cancelling"):
            write_text(row.folder / CANCEL_FILE, "")
            asked = True
            if state == "cancelling" or project.advance_job(row, "cancelling") is not None:
                return "cancelling"
        elif asked:
            return state
        else:
            raise UsageError(f"The job {row.id} is {state}; there is nothing to cancel.")


def cancel_job(project: Project, job_id: str, *, wait_s: float = STOP_S) -> SeenState:
    """Ask a job to stop, wait for it, and end its whole process tree when it does not.

    Returns the state it ended in: `cancelled`, or what it reached by itself in the meantime.

    Raises:
        UsageError: the job does not run.
        ProjectError: it runs on another computer and has not stopped in time.
    """
    if ask_to_stop(project, job_id) == "cancelled":
        return "cancelled"
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        time.sleep(0.1)
        state = job_state(project.job(job_id))
        if state == "interrupted":
            # The row may have been read just before its process wrote the last state and left.
            state = job_state(project.job(job_id))
        if state not in ("running", "cancelling"):
            return state
    row = project.job(job_id)
    process = find_process(row.process_id, row.process_mark)
    if process is not None:
        end_tree(process)
    elif job_state(row) in ("running", "cancelling"):
        raise ProjectError(
            f"The job {row.id} runs on {row.host} and has not stopped within {wait_s:.0f} s.",
            f"It will stop when it next looks; or end its process there. {SILENCE}",
        )
    row = project.job(job_id)
    if job_state(row) == "interrupted":
        close_job(project, row, ENDED)
    return job_state(project.job(job_id))


def close_job(project: Project, seen: JobRow, last: State) -> bool:
    """Write down the last state of a job that no process runs; False when it changed since it was seen.

    Raises:
        StorageError: the folder may not be written or the disk is full.
    """
    if project.advance_job(seen, last.state, error=last.error, remedy=last.remedy) is None:
        return False
    with JobFiles(seen.folder, Monitor()) as files:
        files.emit(last)
    return True
