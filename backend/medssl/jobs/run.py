"""Running a job in this process, and going on with one that was cut off."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from pydantic import ValidationError

from medssl.access import refused_access
from medssl.errors import Cancelled, MedSSLError, ProjectError, UsageError
from medssl.events import Log, Monitor, State
from medssl.jobs.files import CANCEL_FILE, LOG_FILE, REQUEST_FILE, RESULT_FILE, JobFiles
from medssl.jobs.heartbeat import heartbeat
from medssl.jobs.neighbours import DeviceBusyError, only_trainer
from medssl.jobs.operations import perform, pin_model
from medssl.jobs.requests import REQUEST, Request, TrainRequest
from medssl.jobs.results import RESULT, JobResult, Result
from medssl.jobs.states import SILENCE, job_state, runs_here
from medssl.jobs.waiting import wait_here
from medssl.learning.shrinking import is_out_of_memory
from medssl.occupancy import occupying
from medssl.storage import storage_error, write_text

if TYPE_CHECKING:
    from medssl.project import JobRow, Project


def run_job(project: Project, request: Request, monitor: Monitor | None = None) -> JobResult:
    """Do what is asked and keep the request, the events, the log and the result in `jobs/<id>/`.

    Blocks until the job is done; `monitor` hears how it goes and can stop it. Whatever happens, the job's
    last state is written before this returns or raises; a kill leaves a job that `job_state` calls
    interrupted.

    Raises:
        Cancelled: `monitor.cancel` or `cancel_job` asked for it; `resume_job` goes on.
        MedSSLError: what went wrong, for a person; the traceback is in the job's log. A `DeviceBusyError` is
            raised before anything is written when it is to train beside a training, see `only_trainer`.
    """
    _refuse_beside(project, request)
    return _run_now(project, queue_job(project, request), monitor or Monitor())


def queue_job(project: Project, request: Request) -> JobRow:
    """Write down what is asked as a job that waits for somebody to run it.

    Raises:
        ProjectError: the project has no such model.
        DataError: a training would have nothing to learn from.
    """
    request = pin_model(project, request)
    if isinstance(request, TrainRequest):
        project.check_trainable()
    row = project.new_job(request.kind, request.model_dump_json())
    try:
        write_text(row.folder / REQUEST_FILE, request.model_dump_json(indent=2) + "\n")
        wait_here(row.folder)
    except MedSSLError as error:
        project.advance_job(row, "failed", error=error.what, remedy=error.remedy)
        raise
    return row


def resume_job(project: Project, job_id: str, monitor: Monitor) -> JobResult:
    """Go on with a job that was cancelled, failed or interrupted, from what it had finished.

    Raises:
        UsageError: the job runs, or is finished.
        Cancelled, MedSSLError: as `run_job`.
    """
    with suppress(ValidationError):  # of another version: that is said below
        _refuse_beside(project, REQUEST.validate_json(project.job(job_id).request), job_id)
    return _run_now(project, queue_again(project, job_id), monitor)


def _refuse_beside(project: Project, request: Request, job_id: str = "") -> None:
    """Refuse a training beside another one while nothing is written down about it."""
    others = [other for other in project.jobs(("running", "cancelling")) if other.id != job_id]
    if others:
        check = only_trainer(request)
        for other in others:
            check(other)


def _run_now(project: Project, row: JobRow, monitor: Monitor) -> JobResult:
    """Run a job that nobody would run later: it failed if another training began since it was allowed."""
    try:
        return run_queued(project, row, monitor)
    except DeviceBusyError as busy:
        with JobFiles(row.folder, monitor) as files:
            _refuse(project, row, files, busy)
        raise


def queue_again(project: Project, job_id: str) -> JobRow:
    """Let a job that was cancelled, failed or interrupted wait here for somebody to go on with it.

    One that waits on another computer waits on this one from now on.

    Raises:
        UsageError: the job runs, or is finished.
        StorageError: its folder may not be written.
    """
    row = project.job(job_id)
    state = job_state(row)
    if state in ("running", "cancelling"):
        where, remedy = ("", f"See it with 'medssl job show {row.id}'.")
        if not runs_here(row):
            where, remedy = f" on {row.host}", SILENCE
        raise UsageError(f"The job {row.id} is {state}{where}; it cannot be resumed.", remedy)
    if state == "finished":
        raise UsageError(f"The job {row.id} is finished; there is nothing to resume.", "Start a new one.")
    wait_here(row.folder)
    if state == "queued":
        return row
    try:
        (row.folder / CANCEL_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, row.folder / CANCEL_FILE) from error
    queued = project.advance_job(row, "queued")
    return _taken(row) if queued is None else queued


def run_queued(project: Project, row: JobRow, monitor: Monitor) -> JobResult:
    """Run a job that waits; of several processes that try, one does.

    Raises:
        UsageError: another process has it.
        DeviceBusyError: another training has its device, see `only_trainer`; the job goes on waiting.
        Cancelled, MedSSLError: as `run_job`.
    """
    try:
        request = REQUEST.validate_json(row.request)
    except ValidationError as error:
        raise ProjectError(
            f"The request of the job {row.id} cannot be understood; another version of MedSSL made it.",
            "Start a new job.",
        ) from error
    return _run(project, row, request, monitor)


def _run(project: Project, row: JobRow, request: Request, monitor: Monitor) -> JobResult:
    began = time.monotonic()
    with JobFiles(row.folder, monitor) as files:
        # Until here nothing is promised: whoever gets the job here, runs it.
        begun = _begin(project, row, request, files) if row.state == "queued" else None
        if begun is None:
            _taken(row)
        row = begun
        try:
            text = f"the job {row.id} ({request.kind}) of the project {project.folder} runs in it"
            with occupying(text), heartbeat(row.folder, lambda: _give_up(files)):
                files.emit(State(state="running"))
                files.check()
                # A kill may have come between the result and the word that it is there.
                result = read_result(row.folder) or perform(project, request, row.folder, files)
                write_text(row.folder / RESULT_FILE, result.model_dump_json(indent=2) + "\n")
            _enter(project, row, files, State(state="finished"))
        except BaseException as error:
            shown = _for_a_person(error, row)
            files.failure(error)
            state: Literal["cancelled", "failed"] = "cancelled" if isinstance(shown, Cancelled) else "failed"
            last = State(state=state, error=shown.what, remedy=shown.remedy, code=shown.code)
            _leave(project, row, files, last)
            if shown is error or not isinstance(error, (Exception, KeyboardInterrupt)):
                raise
            raise shown from error
    return JobResult(job_id=row.id, seconds=time.monotonic() - began, result=result)


def _give_up(files: JobFiles) -> None:
    files.tell(Log(text="The job goes on elsewhere, as nothing was heard of it here.", level="warning"))
    files.cancel()


def _begin(project: Project, row: JobRow, request: Request, files: JobFiles) -> JobRow | None:
    """Take a waiting job; None when another program was faster."""
    try:
        return project.advance_job(row, "running", beside=only_trainer(request))
    except DeviceBusyError:  # it can still be run later
        raise
    except ProjectError as refused:
        _refuse(project, row, files, refused)
        raise


def _refuse(project: Project, row: JobRow, files: JobFiles, why: MedSSLError) -> None:
    last = State(state="failed", error=why.what, remedy=why.remedy, code=why.code)
    _leave(project, row, files, last)


def _taken(row: JobRow) -> NoReturn:
    raise UsageError(
        f"The job {row.id} was started or cancelled by another program.",
        f"See it with 'medssl job show {row.id}'.",
    )


def _enter(project: Project, row: JobRow, files: JobFiles, state: State) -> None:
    """Write the state where the next process looks for it, then tell those who watch.

    A job that another process took over, because this one gave no sign of life for long, is left to that one.
    """
    while (seen := project.job(row.id)).started == row.started and seen.process_id == row.process_id:
        if project.advance_job(seen, state.state, error=state.error, remedy=state.remedy) is not None:
            files.emit(state)
            return
    files.tell(state)


def _leave(project: Project, row: JobRow, files: JobFiles, state: State) -> None:
    """Enter the last state of a failed job; what made it fail may also keep the state from being kept."""
    try:
        _enter(project, row, files, state)
    except MedSSLError as error:
        files.failure(error)
        files.tell(state)


def _for_a_person(error: BaseException, row: JobRow) -> MedSSLError:
    """Turn whatever ended a job into the sentence and the remedy that are shown."""
    if isinstance(error, (Cancelled, KeyboardInterrupt)):
        what = error.what if isinstance(error, Cancelled) else "Stopped at once."
        command = f'medssl job resume {row.id} --project "{row.folder.parents[1]}"'
        return Cancelled(what, f"Resume it to go on where it stopped ({command}).")
    if isinstance(error, MedSSLError):
        return error
    if is_out_of_memory(error):
        return MedSSLError(
            "There is not enough memory for this.", "Close other programs, or use a larger computer."
        )
    if isinstance(error, OSError):
        return refused_access(error, Path(error.filename) if isinstance(error.filename, str) else row.folder)
    return MedSSLError(
        f"Something went wrong that should not: {type(error).__name__}: {error}.",
        f"Please report it with the file {row.folder / LOG_FILE}.",
    )


def read_result(folder: Path) -> Result | None:
    """What a finished job gave back, read from its folder; None when it is not finished, or damaged."""
    try:
        return RESULT.validate_json((folder / RESULT_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
