"""The engine: takes requests, runs each as a process of its own, and finds them again after it was killed."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from medssl.errands import Errands
from medssl.errors import MedSSLError, StorageError
from medssl.events import Event, JobState, Log, Monitor, State
from medssl.jobs.endings import INTERRUPTED
from medssl.jobs.event_log import EventLog
from medssl.jobs.files import JobFiles, read_events
from medssl.jobs.heartbeat import would_be_seen
from medssl.jobs.memory import Memory
from medssl.jobs.requests import REQUEST, Request
from medssl.jobs.run import queue_again, queue_job
from medssl.jobs.states import ENDED, STOP_S, ask_to_stop, close_job, job_state
from medssl.jobs.supervisor import Supervisor
from medssl.jobs.waiting import waits_elsewhere
from medssl.project import DATABASE_NAME, JobRow, Project

_LOG = logging.getLogger(__name__)
_EVENT_LOGS = 64  # that are kept for the next question, the most recently asked for
_UNFINISHED: tuple[JobState, ...] = ("queued", "running", "cancelling")
_ATTEMPTS = 3  # a training that never got to a checkpoint is begun so often without being asked
_WAIT_S = 0.05
_PATIENCE_S = 2.0  # at the start, with drives that are slow
_SETTLING_S = 10.0  # for ending processes, writing down that they were ended, and closing projects


class Engine:
    """Runs the jobs of any number of projects. Its methods return at once and may be called by any thread.

    The projects' databases are the queue; what the engine knows beside them, it finds again. It imports no
    torch: only the workers do.

    Args:
        roots: projects, or folders of projects, whose jobs `start` finds again. Any other project is taken
            in when it is first named.
        memory: a file in which the engine notes the projects with unfinished jobs; an engine that is given
            the same file finds them wherever they are. What cannot be opened, as its drive is away, stays
            noted, and is tried again at the next start and whenever somebody names it; see `Memory`.
        stop_s: how long a job that was asked to stop may take before its processes are ended.
        check: asked about a job and its request before each start; raises a `MedSSLError` to refuse it. What
            waits in a project's database was not necessarily asked of this engine: what is refused there is
            left to whoever asked for it.
    """

    def __init__(
        self,
        roots: Sequence[Path] | None = None,
        *,
        memory: Path | None = None,
        stop_s: float = STOP_S,
        check: Callable[[JobRow, Request], None] = lambda row, request: None,
    ) -> None:
        self._roots = tuple(roots or ())
        self._memory = Memory(memory)
        self._stop_s = stop_s
        self._projects: dict[Path, tuple[Project, tuple[int, int]]] = {}
        self._gates: dict[Path, threading.RLock] = {}
        self._logs: OrderedDict[tuple[Path, str], EventLog] = OrderedDict()
        self._arriving: list[threading.Thread] = []
        self._started = False
        self._stopped = False
        self._lock = threading.RLock()
        self._check = check
        self._supervisor = Supervisor(self._project, self._examine, self._miss)

    def start(self) -> None:
        """Find the jobs of the known projects again, and begin to run what waits.

        A project on a drive that is slow, or that does not answer, is not waited for: its jobs come later.
        """
        with self._lock:
            self._started = True
            known = list(self._projects)
        folders = dict.fromkeys([*known, *_projects_in(self._roots), *self._memory.recall()])
        self._arriving = [
            threading.Thread(target=self._take_in, args=(folder,), name=f"medssl {folder}", daemon=True)
            for folder in folders
        ]
        deadline = time.monotonic() + _PATIENCE_S
        for arrival in self._arriving:
            arrival.start()
        for arrival in self._arriving:
            arrival.join(max(0.0, deadline - time.monotonic()))
        self._supervisor.start()

    def stop(self, graceful: bool) -> None:
        """End the engine. It waits a limited time for projects whose drive does not answer.

        Args:
            graceful: ask the running jobs to stop and wait for it, `stop_s` at most; they can be resumed.
                Otherwise their processes go on, and the next engine finds them. What waits, waits for it too.
        """
        self._supervisor.start_no_more()
        self._started = False  # what a slow drive gives from now on is for the next engine to take in
        if graceful:
            self._stop_workers()
        self._supervisor.stop()
        self._note()
        self._stopped = True
        with self._lock:
            opened = [project for project, _ in self._projects.values()]
            self._projects.clear()
        closing = Errands[None]()
        wait([closing.run(f"closes {each.folder}", each.close) for each in opened], _SETTLING_S)

    def _stop_workers(self) -> None:
        """Ask the workers to stop, and wait until they did or were ended."""
        deadline = time.monotonic() + self._stop_s + _SETTLING_S
        asking = Errands[JobRow]()
        asked = [
            asking.run(f"cancels {job_id} in {folder}", partial(self.cancel, folder, job_id))
            for folder, job_id in self._supervisor.workers()
        ]
        wait(asked, self._stop_s)  # whether one could not be asked, as it ended by itself, is of no interest
        while self._supervisor.running and self._supervisor.workers() and time.monotonic() < deadline:
            time.sleep(_WAIT_S)

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not self._supervisor.unfinished()

    def unfinished_requests(self) -> list[str]:
        """The requests of all jobs that wait or run, as JSON.

        Raises:
            MedSSLError: a project with such jobs cannot be asked, or has not answered since the start.
        """
        if any(arrival.is_alive() for arrival in self._arriving):
            raise StorageError("A project with unfinished jobs does not answer: its drive is slow or away.")
        return [
            row.request
            for folder in self._supervisor.unfinished()
            for row in self._project(folder).jobs(_UNFINISHED)
        ]

    def submit(self, project_folder: Path, request: Request) -> JobRow:
        """Queue a job. It survives the engine from now on.

        Raises:
            ProjectError: there is no such project, or it has no such model.
            StorageError: the project may not be written.
        """
        project = self._project(project_folder)
        row = queue_job(project, request)
        self._enqueue(project, row)
        return row

    def resume(self, project_folder: Path, job_id: str) -> JobRow:
        """Queue a job again that was cancelled, failed or interrupted; it goes on from what it kept.

        Raises:
            UsageError: it runs, or is finished.
            MedSSLError: it may not be started here.
        """
        project = self._project(project_folder)
        self._examine(project.job(job_id))
        row = queue_again(project, job_id)
        self._enqueue(project, row)
        return row

    def cancel(self, project_folder: Path, job_id: str) -> JobRow:
        """Ask a job to stop; when it does not within `stop_s`, all its processes are ended.

        Raises:
            UsageError: it does not run or wait.
        """
        project = self._project(project_folder)
        row = project.job(job_id)
        runs = job_state(row) in ("running", "cancelling")
        if runs:  # before it is asked: a process that hangs may hold the database up
            if not self._supervisor.knows(project.folder, job_id):
                self._supervisor.watch(project.folder, row)  # a command line's
            self._supervisor.end_after(project.folder, job_id, self._stop_s)
        try:
            ask_to_stop(project, job_id)
        except MedSSLError as error:  # the disk is full, or the process ended meanwhile
            if not runs:
                raise
            _LOG.warning("The job %s could not be asked to stop: %s", job_id, error)
        self._supervisor.end_after(project.folder, job_id, self._stop_s)
        return project.job(job_id)

    def jobs(self, project_folder: Path) -> list[JobRow]:
        """All jobs of a project, the newest first."""
        return self._project(project_folder).jobs()

    def job(self, project_folder: Path, job_id: str) -> JobRow:
        """One job."""
        return self._project(project_folder).job(job_id)

    def events(
        self, project_folder: Path, job_id: str, after: int = 0, most: int | None = None
    ) -> list[tuple[int, Event]]:
        """What a job reported after the event with the number `after`; see `EventLog.after`."""
        project = self._project(project_folder)
        key = (project.folder, job_id)
        with self._lock:
            log = self._logs.get(key)
        if log is None:
            log = EventLog(project.job(job_id).folder)
        with self._lock:
            log = self._logs.setdefault(key, log)
            self._logs.move_to_end(key)
            if len(self._logs) > _EVENT_LOGS:
                self._logs.popitem(last=False)
        return log.after(after, most)

    def recover(self, project_folder: Path) -> list[JobRow]:
        """Find the jobs that an engine or a worker that was killed left behind; returns what is unfinished.

        Those whose process lives are watched again. Trainings go on from their last checkpoint; other jobs
        are marked as failed, and a person can resume them. What waits, waits here from now on. What another
        computer ran or was asked for is left as it is; a person can resume it here.
        """
        project = self._project(project_folder)
        for row in reversed(project.jobs(_UNFINISHED)):
            if not self._supervisor.knows(project.folder, row.id):
                self._find_again(project, row)
        self._memory.arrived(project.folder)
        self._note()
        return project.jobs(_UNFINISHED)

    def forget(self, project_folder: Path) -> None:
        """Look no more for a project that is away; what waits or runs in one that is there goes on."""
        self._memory.arrived(project_folder)
        self._note()

    def _find_again(self, project: Project, row: JobRow) -> None:
        if row.state == "queued" and waits_elsewhere(row.folder):
            _LOG.warning("The job %s waits on another computer; resume it to run it here.", row.id)
        elif row.state == "queued":
            try:
                self._examine(row)
            except MedSSLError as error:
                _LOG.warning("The job %s is not started here: %s", row.id, error)
                return
            self._supervisor.enqueue(project.folder, row)
        elif job_state(row) != "interrupted":
            if self._supervisor.watch(project.folder, row) and row.state == "cancelling":
                self._supervisor.end_after(project.folder, row.id, self._stop_s)
        elif not would_be_seen(row):
            return  # another computer's: it is asleep, or the project is a copy; a person may resume it
        elif row.state == "cancelling":
            close_job(project, row, ENDED)
        elif self._supervisor.trains(row) and _got_on(row):
            queued = queue_again(project, row.id)
            text = "The computer or the program was interrupted; the training goes on where it was last kept."
            self._enqueue(project, queued, Log(text=text, level="warning"))
        else:
            close_job(project, row, INTERRUPTED)

    def _examine(self, row: JobRow) -> None:
        """Raise what keeps a job from being started here."""
        with suppress(ValidationError):  # of another version: its worker will say so
            self._check(row, REQUEST.validate_json(row.request))

    def _enqueue(self, project: Project, row: JobRow, *before: Event) -> None:
        try:
            with JobFiles(row.folder, Monitor()) as files:
                for event in (*before, State(state="queued")):
                    files.emit(event)
        except StorageError as error:  # the job will meet it too, and say so where it can
            _LOG.warning("The job %s: %s", row.id, error)
        self._supervisor.enqueue(project.folder, row)
        self._note()

    def _project(self, folder: Path) -> Project:
        """The open project of a folder; opened again when the folder holds another one now."""
        folder = folder.resolve()
        with self._lock:
            gate = self._gates.setdefault(folder, threading.RLock())
        with gate:  # of its own: a disk that is slow keeps nobody waiting who needs another one
            identity = _identity(folder)
            with self._lock:
                known = self._projects.get(folder)
                if known is not None and known[1] == identity:
                    return known[0]
                self._projects.pop(folder, None)
            if known is not None:
                known[0].close()
            project = Project.open(folder)
            identity = _identity(folder) or (0, 0)
            with self._lock:
                self._projects[folder] = project, identity
            if self._started:
                self._take_in(folder)
            return project

    def _take_in(self, folder: Path) -> None:
        try:
            self.recover(folder)
        except MedSSLError as error:  # it may not be written, or is away, perhaps for good
            _LOG.warning("The jobs of %s: %s", folder, error)

    def _miss(self, folder: Path) -> None:
        """Take a project that went away in anew when somebody names it again."""
        self._memory.miss(folder)
        self._note()
        with self._lock:
            missed = self._projects.pop(folder, None)
        if missed is not None:
            missed[0].close()

    def _note(self) -> None:
        """Note the projects with unfinished jobs for the next engine, which may run once this one stopped."""
        if not self._stopped:
            self._memory.note(self._supervisor.unfinished())


def _projects_in(roots: Iterable[Path]) -> list[Path]:
    """The roots that are projects, and the projects directly inside those that are not."""
    found = []
    for root in roots:
        try:
            candidates = [root] if _identity(root) else sorted(root.iterdir())
        except OSError:
            continue
        found += [folder.resolve() for folder in candidates if _identity(folder)]
    return found


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells the project in a folder from another that replaced it; None without one."""
    try:
        status = (folder / DATABASE_NAME).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _got_on(row: JobRow) -> bool:
    """Whether a training came to a checkpoint since it was last started, or was not started often yet.

    One that takes the whole computer down with it must not do so at every start.
    """
    started = 0.0 if row.started is None else row.started.timestamp()
    with suppress(OSError):
        if any(path.stat().st_mtime > started for path in row.folder.glob("checkpoint*")):
            return True
    begun = sum(isinstance(event, State) and event.state == "running" for event in read_events(row.folder))
    return begun < _ATTEMPTS
