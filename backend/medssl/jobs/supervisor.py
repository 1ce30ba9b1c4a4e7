"""The queue, and the worker processes that are watched until they end."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeAlias

import psutil
from pydantic import ValidationError

from medssl.errors import MedSSLError
from medssl.events import State
from medssl.jobs.endings import lost
from medssl.jobs.launching import WORKER, start_worker
from medssl.jobs.placement import Task, has_gpu, may_start, task_of
from medssl.jobs.requests import REQUEST
from medssl.jobs.states import ENDED, close_job, job_state, runs_here
from medssl.processes import end_tree, find_process
from medssl.project import DATABASE_NAME, JobRow, Project

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.25  # between looks at the processes, which cost a system call each
_AGAIN_S = 1.0  # between looks for a free device, and between attempts on a disk that is full

JobKey: TypeAlias = tuple[Path, str]
"""A project's folder and the id of one of its jobs."""


@dataclass
class _Watched:
    """A process that runs a job; `child` is None where another program started it."""

    row: JobRow
    task: Task
    child: subprocess.Popen[bytes] | None
    since: float
    stop_by: float | None = None
    look_at: float = 0.0
    queued_again: bool = False

    def process(self) -> psutil.Process | None:
        """The process, as long as it lives."""
        if self.child is None:
            return find_process(self.row.process_id, self.row.process_mark)
        # Its number is not given to another one before we asked how it ended.
        return psutil.Process(self.child.pid) if self.child.poll() is None else None

    def is_worker(self) -> bool:
        with suppress(psutil.Error):
            process = self.process()
            return process is not None and WORKER in process.cmdline()
        return False


class Supervisor:
    """Starts waiting jobs where a device is free and watches their processes, in a thread of its own.

    Args:
        open_project: gives the open project of a folder.
        check: raises a `MedSSLError` about a job that must not be started.
        miss: called with the folder of a project that went away while a job waited or ran there.
    """

    def __init__(
        self,
        open_project: Callable[[Path], Project],
        check: Callable[[JobRow], None],
        miss: Callable[[Path], None],
    ) -> None:
        self._open = open_project
        self._check = check
        self._miss = miss
        self._queue: list[JobKey] = []
        self._watched: dict[JobKey, _Watched] = {}
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._starting = True
        self._stopped = False
        self._gpu: bool | None = None
        self._thread = threading.Thread(target=self._loop, name="medssl jobs", daemon=True)

    def start(self) -> None:
        """Begin to run what waits."""
        self._thread.start()

    def stop(self) -> None:
        """Start and watch nothing any more; the processes go on."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._thread.is_alive()

    def start_no_more(self) -> None:
        """Leave what waits where it is, but watch what runs."""
        self._starting = False

    def enqueue(self, folder: Path, row: JobRow) -> None:
        """Run a waiting job when its turn comes."""
        with self._lock:
            watched = self._watched.get((folder, row.id))
            if watched is not None:  # its last process, cancelled before it began, is about to notice that
                watched.queued_again, watched.stop_by = True, None
            elif (folder, row.id) not in self._queue:
                self._queue.append((folder, row.id))
        self._wake.set()

    def watch(self, folder: Path, row: JobRow) -> bool:
        """Watch a job that another program runs on this computer; False without its process."""
        if not runs_here(row):
            return False
        age_s = 0.0 if row.started is None else (datetime.now(timezone.utc) - row.started).total_seconds()
        found = _Watched(row, self._task(row), None, time.monotonic() - max(0.0, age_s))
        with self._lock:
            self._watched.setdefault((folder, row.id), found)
        return True

    def knows(self, folder: Path, job_id: str) -> bool:
        """Whether a job waits or is watched here."""
        with self._lock:
            return (folder, job_id) in self._queue or (folder, job_id) in self._watched

    def end_after(self, folder: Path, job_id: str, seconds: float) -> None:
        """Give the process of a job this time to stop by itself; then end it and what it started."""
        with self._lock:
            watched = self._watched.get((folder, job_id))
            if watched is not None and watched.stop_by is None:
                watched.stop_by = time.monotonic() + seconds

    def workers(self) -> list[JobKey]:
        """The jobs whose processes this or an earlier engine started, not those of a command line."""
        with self._lock:
            return [key for key, watched in self._watched.items() if watched.is_worker()]

    def unfinished(self) -> set[Path]:
        """The folders of the projects in which a job waits or runs."""
        with self._lock:
            return {folder for folder, _ in (*self._queue, *self._watched)}

    def _loop(self) -> None:
        placed = -_AGAIN_S
        while not self._stopped:
            woken = self._wake.wait(_LOOK_S)
            self._wake.clear()
            try:
                ended = self._look()
                if (
                    self._queue
                    and self._starting
                    and (woken or ended or time.monotonic() - placed > _AGAIN_S)
                ):
                    placed = time.monotonic()
                    self._place()
            except Exception:  # noqa: BLE001 - whatever it was, the other jobs must go on being watched
                _LOG.exception("Watching jobs went wrong")

    def _look(self) -> bool:
        """Notice processes that ended, and end those whose time is up; whether a device became free."""
        with self._lock:
            watched = list(self._watched.items())
        now, ended = time.monotonic(), False
        for key, job in watched:
            if now < job.look_at:
                continue
            try:
                process = job.process()
                if process is not None and job.stop_by is not None and now >= job.stop_by:
                    end_tree(process)
                    process = job.process()
                if process is None:
                    self._settle(key, job)
                    ended = True
            except MedSSLError as error:
                job.look_at = now + _AGAIN_S
                _LOG.warning("The job %s in %s: %s", key[1], key[0], error)
        return ended

    def _settle(self, key: JobKey, job: _Watched) -> None:
        """Write down the end of a job whose process could not, and forget the job."""
        folder, job_id = key
        there = _is_there(folder)
        # Otherwise somebody removed the project, or its drive, and nothing can be said.
        if there:
            project = self._open(folder)
            row = project.job(job_id)
            state = job_state(row)
            if state == "interrupted" or (state == "queued" and not job.queued_again):
                asked = row.state == "cancelling" or job.stop_by is not None
                code = None if job.child is None else job.child.returncode
                if not close_job(project, row, ENDED if asked else lost(code, row.folder)):
                    return  # it was asked to stop in this moment: look again
        else:
            row, state = job.row, "interrupted"
        with self._lock:
            del self._watched[key]
            if state == "queued" and job.queued_again:
                self._queue.append(key)
        if not there:
            self._miss(folder)
        if state in ("running", "cancelling"):  # another process was faster in taking the job
            self.watch(folder, row)

    def _place(self) -> None:
        """Start every waiting job that may start, in the order they came."""
        with self._lock:
            waiting = list(self._queue)
        looked = set[Path]()
        for folder, job_id in waiting:
            missed = False
            try:
                if folder not in looked:
                    self._watch_others(folder)
                    looked.add(folder)
                left = self._try_to_start(folder, job_id)
            except MedSSLError as error:
                _LOG.warning("The job %s in %s: %s", job_id, folder, error)
                left = missed = not _is_there(folder)
            if left:
                with self._lock:
                    self._queue.remove((folder, job_id))
            if missed:
                self._miss(folder)

    def _watch_others(self, folder: Path) -> None:
        """Look whether a command line runs jobs of a project, because they keep a device busy too."""
        for row in self._open(folder).jobs(("running", "cancelling")):
            if not self.knows(folder, row.id):
                self.watch(folder, row)

    def _try_to_start(self, folder: Path, job_id: str) -> bool:
        """Start a job if its device is free; whether it left the queue."""
        project = self._open(folder)
        row = project.job(job_id)
        if row.state != "queued":  # cancelled, or another program runs it
            return True
        task = self._task(row)
        now = time.monotonic()
        with self._lock:
            running = [(watched.task, now - watched.since) for watched in self._watched.values()]
        if not may_start(task, running):
            return False
        try:
            self._check(row)
            child = start_worker(folder, row)
        except MedSSLError as error:
            refused = State(state="failed", error=error.what, remedy=error.remedy, code=error.code)
            close_job(project, row, refused)
            return True
        with self._lock:
            self._watched[folder, job_id] = _Watched(row, task, child, now)
        return True

    def trains(self, row: JobRow) -> bool:
        """Whether a job is one that keeps checkpoints."""
        return self._task(row).trains

    def _task(self, row: JobRow) -> Task:
        if self._gpu is None:
            self._gpu = has_gpu()
        try:
            return task_of(REQUEST.validate_json(row.request), self._gpu)
        except ValidationError:  # of another version: its worker will say so
            return Task("disk", trains=False)


def _is_there(folder: Path) -> bool:
    """Whether a project can be seen in a folder; not where it may not be read, or its drive is lost."""
    try:
        return (folder / DATABASE_NAME).exists()
    except OSError:
        return False
