"""Jobs: starting, watching, cancelling and resuming them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medssl.client.answers import each, event_of, job_of
from medssl.client.calls import Calls, job_path, project_path
from medssl.client.connection import EngineError
from medssl.client.events import EventReader
from medssl.client.records import Event, Job
from medssl.client.transfers import receive


class JobCalls(Calls):
    """Jobs: starting, watching, cancelling and resuming them."""

    def submit(self, project: str, request: Mapping[str, Any]) -> Job:
        """Start a job: `kind` and the fields of that kind, as in the API."""
        return self.connection.change("POST", f"{project_path(project)}/jobs", job_of, request)

    def jobs(self, project: str, *, offset: int = 0, limit: int = 50) -> tuple[Job, ...]:
        """List jobs, the newest first."""
        path, query = f"{project_path(project)}/jobs", {"offset": offset, "limit": limit}
        return self.connection.get(path, lambda found: each(job_of)(found["jobs"]), query)

    def job(self, project: str, job: str) -> Job:
        """Return a job: its state, how far it is, and its result."""
        return self.connection.get(job_path(project, job), job_of)

    def cancel(self, project: str, job: str) -> Job:
        """Ask a job to stop; returns at once."""
        return self.connection.change("POST", f"{job_path(project, job)}/cancel", job_of)

    def resume(self, project: str, job: str) -> Job:
        """Go on with a job that was cancelled, failed or interrupted."""
        return self.connection.change("POST", f"{job_path(project, job)}/resume", job_of)

    def events(self, project: str, job: str, after: int = 0) -> tuple[Event, ...]:
        """Return all that a job reported after the event with a number."""
        path, found = f"{job_path(project, job)}/events", list[Event]()
        while True:  # a page of the engine holds some thousands
            query = {"after": found[-1].number if found else after}
            page = self.connection.get(path, lambda page: _events(page["events"]), query)
            if not page:
                return tuple(found)
            found += page

    def watch(
        self,
        project: str,
        job: str,
        on_event: Callable[[Event], None],
        on_end: Callable[[str], None] | None = None,
        on_error: Callable[[EngineError], None] | None = None,
        after: int = 0,
    ) -> EventReader:
        """Read a job's events in a thread of its own, which calls back.

        Args:
            project: key of the project.
            job: id of the job.
            on_event: gets every event once, in order.
            on_end: gets the job's last state.
            on_error: gets what keeps the events from being read for good, such as a wrong token.
            after: number of the last event that is known already.
        """
        path = f"{job_path(project, job)}/events/stream"
        return EventReader(self.connection, path, after, on_event, on_end, on_error)

    def job_log(self, project: str, job: str) -> str:
        """Return the end of a job's log."""
        return self.connection.text(f"{job_path(project, job)}/log")

    def download_row_scan(self, project: str, job: str, name: str, target: str | Path) -> Path:
        """Download a scan that a job over folders segmented, as one volume; a DICOM series as `.nrrd`."""
        return receive(self.connection, f"{job_path(project, job)}/rows/scan", {"name": name}, Path(target))

    def download_row_segmentation(self, project: str, job: str, name: str, target: str | Path) -> Path:
        """Download what a job over folders made of a scan, as `.seg.nrrd`, however the job wrote it."""
        path = f"{job_path(project, job)}/rows/segmentation"
        return receive(self.connection, path, {"name": name}, Path(target))


_events = each(lambda one: event_of(one["number"], one["event"]))
