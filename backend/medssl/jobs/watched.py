"""A process that runs a job, watched until the job has ended in it."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from medssl.jobs.endings import lost
from medssl.jobs.launching import LEFT_WAITING, WORKER
from medssl.jobs.placement import Task
from medssl.jobs.states import ENDED, close_job, job_state
from medssl.processes import end_tree, find_process
from medssl.project import JobRow, Project


@dataclass
class Watched:
    """A process that runs a job; `child` is None where another program started it.

    Such a process may be a notebook, which does other things after the job: its life says nothing then.
    """

    row: JobRow
    task: Task
    child: subprocess.Popen[bytes] | None
    since: float
    stop_by: float | None = None
    look_at: float = 0.0
    queued_again: bool = False
    gone: bool = False  # it keeps no device busy any more; only its end is still to be written down

    def process(self) -> psutil.Process | None:
        """The process, as long as it lives."""
        if self.child is None:
            return find_process(self.row.process_id, self.row.process_mark)
        # Its number is not given to another one before we asked how it ended.
        return psutil.Process(self.child.pid) if self.child.poll() is None else None

    def lives(self) -> bool:
        """Whether the process lives, after ending a child of ours whose time is up.

        Raises:
            MedSSLError: it may not be ended.
        """
        if self.child is not None:
            self._end_in_time()
        return self.process() is not None

    def goes_on(self, row: JobRow) -> bool:
        """Whether a job goes on in another program's process, after ending that when its time is up.

        Args:
            row: what the project says of the job now: a process in which it has ended is not ours to end.

        Raises:
            MedSSLError: it may not be ended.
        """
        same = (row.started, row.process_id) == (self.row.started, self.row.process_id)
        if self.child is not None or not same or row.state not in ("running", "cancelling"):
            return False
        self._end_in_time()
        return self.process() is not None

    def _end_in_time(self) -> None:
        if self.stop_by is not None and time.monotonic() >= self.stop_by:
            process = self.process()
            if process is not None:
                end_tree(process)

    def waits_again(self) -> bool:
        """Whether its process is gone and the job is still to be run."""
        return self.queued_again or (self.child is not None and self.child.returncode == LEFT_WAITING)

    def is_worker(self) -> bool:
        """Whether it is a process of its own for the job, of this or of an earlier engine."""
        with suppress(psutil.Error):
            process = self.process()
            return process is not None and WORKER in process.cmdline()
        return False

    def close(self, project: Project, row: JobRow) -> bool:
        """Write down the end that the process could not; False when somebody changed it in this moment."""
        state = job_state(row)
        never_began = state == "queued" and self.child is not None and not self.waits_again()
        if state != "interrupted" and not never_began:
            return True
        asked = row.state == "cancelling" or self.stop_by is not None
        code = None if self.child is None else self.child.returncode
        return close_job(project, row, ENDED if asked else lost(code, row.folder))
