"""The queue, and the worker processes that are watched until they end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timezone
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from medssl.errands import Errands
from medssl.errors import MedSSLError, NotFoundError
from medssl.events import State
from medssl.jobs.launching import open_log, start_worker
from medssl.jobs.placement import Task, has_gpu, may_start, task_of
from medssl.jobs.requests import REQUEST
from medssl.jobs.states import close_job, runs_here
from medssl.jobs.watched import Watched
from medssl.project import DATABASE_NAME, JobRow, Project

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.25  # between looks at the processes, which cost a system call each
_AGAIN_S = 1.0  # between looks for a free device, and between attempts on a disk that is full
_PATIENCE_S = 2.0  # with a project's disk, before those of other projects have their turn

JobKey: TypeAlias = tuple[Path, str]
"""A project's folder and the id of one of its jobs."""


class Supervisor:
    """Starts waiting jobs where a device is free and watches their processes, in a thread of its own.

    What needs a project's disk is an errand in another thread, for which this one has a little patience: so
    jobs begin in the order they came, and a disk that does not answer holds up no other project. Whether a
    device is free is asked, and the process started, by one thread at a time.

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
        self._queue: dict[JobKey, JobRow] = {}  # each as it was when it was last enqueued
        self._watched: dict[JobKey, Watched] = {}
        self._errands = Errands[None]()
        self._late: dict[Path, Future[None]] = {}  # visits to projects that did not answer in time
        self._lock = threading.RLock()
        self._placing = threading.Lock()  # taken before `_lock`; no project's disk is asked meanwhile
        self._wake = threading.Event()
        self._starting = True
        self._stopped = False
        self._gpu: bool | None = None
        self._thread = threading.Thread(target=self._loop, name="medssl jobs", daemon=True)

    def start(self) -> None:
        """Begin to run what waits."""
        self._thread.start()

    def stop(self) -> None:
        """Start and watch nothing any more; the processes go on, and so does what waits for a disk."""
        self.start_no_more()
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
        with self._placing:
            self._starting = False

    def enqueue(self, folder: Path, row: JobRow) -> None:
        """Run a waiting job when its turn comes."""
        with self._lock:
            watched = self._watched.get((folder, row.id))
            if watched is not None:  # its last process, cancelled before it began, is about to notice that
                watched.queued_again, watched.stop_by = True, None
            else:
                self._queue[folder, row.id] = row
        self._wake.set()

    def watch(self, folder: Path, row: JobRow) -> bool:
        """Watch a job that another program runs on this computer; False without its process."""
        if not runs_here(row):
            return False
        age_s = 0.0 if row.started is None else (datetime.now(timezone.utc) - row.started).total_seconds()
        found = Watched(row, self._task(row), None, time.monotonic() - max(0.0, age_s))
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

    def _errand(self, what: str, work: Callable[[], None]) -> Future[None]:
        """Begin what needs a project's disk, or join it; what goes wrong there is logged."""

        def do() -> None:
            try:
                work()
            except MedSSLError as error:
                _LOG.warning("%s: %s", what, error)
            except Exception:  # noqa: BLE001 - nobody else would hear of it
                _LOG.exception("%s", what)

        return self._errands.run(what, do)

    def _look(self) -> bool:
        """Notice processes that ended, and end those whose time is up; whether a device became free."""
        with self._lock:
            watched = list(self._watched.items())
        now = time.monotonic()
        found, endings = list[Watched](), list[Future[None]]()
        for key, job in watched:
            if now < job.look_at:
                continue
            lives = _lives(key, job, now)
            if lives and job.child is not None:
                continue
            job.look_at = now + _AGAIN_S  # unless its end is written down by then
            ending = self._errand(f"The job {key[1]} in {key[0]}", partial(self._settle, key, job))
            if not lives and not job.gone:
                found.append(job)
                endings.append(ending)
        # A job may turn out to go on in another process, which keeps the device busy then.
        wait(endings, _PATIENCE_S)
        for job in found:
            job.gone = True
        return bool(found)

    def _settle(self, key: JobKey, job: Watched) -> None:
        """Forget a job that has ended, after writing its end down where its process could not."""
        folder, job_id = key
        if self._watched.get(key) is not job:  # that was done meanwhile
            return
        row = None
        there = _is_there(folder)
        # Otherwise somebody removed the project, or its drive, and nothing can be said.
        if there:
            project = self._open(folder)
            row = _find(project, job_id)
            if row is not None and (job.goes_on(row) or not job.close(project, row)):
                return  # look again
        elif job.process() is not None:  # another program's, which may see its drive again
            return
        with self._lock:
            del self._watched[key]
            if row is not None and job.waits_again():  # whether it still waits is seen when its turn comes
                # Resumed, it came last; otherwise it was its turn already.
                self._queue = {**self._queue, key: row} if job.queued_again else {key: row, **self._queue}
                self._wake.set()
            if row is not None and row.state in ("running", "cancelling"):
                self.watch(folder, row)  # another process was faster in taking the job
        if not there:
            self._miss(folder)

    def _place(self) -> None:
        """Start every waiting job that may start, in the order they came."""
        with self._lock:
            waiting = list(self._queue.items())
        self._late = {folder: visit for folder, visit in self._late.items() if not visit.done()}
        for folder, jobs in groupby(waiting, key=lambda each: each[0][0]):
            if folder in self._late or self._stopped:
                continue
            visit = self._errand(f"The jobs that wait in {folder}", partial(self._visit, folder, list(jobs)))
            if not wait([visit], _PATIENCE_S).done:
                self._late[folder] = visit

    def _visit(self, folder: Path, waiting: Sequence[tuple[JobKey, JobRow]]) -> None:
        """Start those of a project's waiting jobs that may start."""
        try:
            project = self._open(folder)
            self._watch_others(project)
        except MedSSLError:
            if not _is_there(folder):
                for key, seen in waiting:
                    self._leave_queue(key, seen)
                self._miss(folder)
            raise
        for key, seen in waiting:
            self._take_turn(project, key, seen)

    def _take_turn(self, project: Project, key: JobKey, seen: JobRow) -> None:
        try:
            left = self._try_to_start(project, key)
        except MedSSLError as error:
            _LOG.warning("The job %s in %s: %s", key[1], key[0], error)
        else:
            if left:
                self._leave_queue(key, seen)

    def _leave_queue(self, key: JobKey, seen: JobRow) -> None:
        """Forget that a job waits, unless it was enqueued again since it was seen."""
        with self._lock:
            if self._queue.get(key) is seen:
                del self._queue[key]

    def _watch_others(self, project: Project) -> None:
        """Look whether a command line runs jobs of a project, because they keep a device busy too."""
        for row in project.jobs(("running", "cancelling")):
            if not self.knows(project.folder, row.id):
                self.watch(project.folder, row)

    def _try_to_start(self, project: Project, key: JobKey) -> bool:
        """Start a job if its device is free; whether it waits no more."""
        row = _find(project, key[1])
        if row is None or row.state != "queued":  # cancelled, or another program runs it
            return True
        task = self._task(row)
        if not self._is_free(task):
            return False
        try:
            self._check(row)
            with open_log(row) as log, self._placing:
                if not self._starting or not self._is_free(task):  # since this project's disk was asked
                    return False
                child = start_worker(key[0], row, log)
                with self._lock:
                    self._queue.pop(key, None)
                    self._watched[key] = Watched(row, task, child, time.monotonic())
        except MedSSLError as error:
            refused = State(state="failed", error=error.what, remedy=error.remedy, code=error.code)
            close_job(project, row, refused)
        return True

    def _is_free(self, task: Task) -> bool:
        now = time.monotonic()
        with self._lock:
            running = [(job.task, now - job.since) for job in self._watched.values() if not job.gone]
        return may_start(task, running)

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


def _find(project: Project, job_id: str) -> JobRow | None:
    """A job; None where another project, or an older copy, has taken the place of the one that had it."""
    try:
        return project.job(job_id)
    except NotFoundError as error:
        _LOG.warning("The project %s was replaced while a job waited or ran: %s", project.folder, error.what)
        return None


def _lives(key: JobKey, job: Watched, now: float) -> bool:
    """Whether a job's process lives on, as far as one can end it where its time is up."""
    try:
        return job.lives()
    except MedSSLError as error:
        job.look_at = now + _AGAIN_S
        _LOG.warning("The job %s in %s: %s", key[1], key[0], error)
        return True
