"""The jobs of a project: what was asked for, how it goes, and where its files are."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from medssl.errors import NotFoundError
from medssl.events import JobState
from medssl.processes import process_mark
from medssl.project import tables
from medssl.project.records import Beside, JobRow
from medssl.project.store import Store, new_id, now
from medssl.storage import storage_error

_ENDED: tuple[JobState, ...] = ("finished", "failed", "cancelled")
_RUNNING: tuple[JobState, ...] = ("running", "cancelling")


def new_job(store: Store, kind: str, request: str) -> JobRow:
    """Make a job that is queued, with an empty folder; see `Project.new_job`."""
    with store.database.writing() as session:
        job_id = new_id()
        while session.get(tables.Job, job_id) is not None:
            job_id = new_id()
        folder = store.folder / "jobs" / job_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, folder) from error
        row = tables.Job(
            id=job_id,
            kind=kind,
            request=request,
            state="queued",
            created=now(),
            started=None,
            ended=None,
            process_id=None,
            process_mark=None,
            host=None,
            error="",
            remedy="",
        )
        session.add(row)
        session.flush()
        return _to_record(store, row)


def set_job_state(store: Store, job_id: str, state: JobState, error: str, remedy: str) -> JobRow:
    """Write down that a job entered a state; see `Project.set_job_state`."""
    with store.database.writing() as session:
        row = _find(session, job_id)
        _set(row, state, error, remedy)
        return _to_record(store, row)


def advance_job(
    store: Store, seen: JobRow, state: JobState, error: str, remedy: str, beside: Beside = None
) -> JobRow | None:
    """Write down that a job entered a state, unless it changed meanwhile; see `Project.advance_job`."""
    with store.database.writing() as session:
        row = _find(session, seen.id)
        if (row.state, row.started, row.process_id) != (seen.state, seen.started, seen.process_id):
            return None
        if beside is not None:
            for other in session.scalars(select(tables.Job).where(tables.Job.state.in_(_RUNNING))):
                beside(_to_record(store, other))
        _set(row, state, error, remedy)
        return _to_record(store, row)


def _set(row: tables.Job, state: JobState, error: str, remedy: str) -> None:
    row.state, row.error, row.remedy = state, error, remedy
    if state == "running":
        row.started, row.ended = now(), None
        row.process_id, row.host = os.getpid(), socket.gethostname()
        row.process_mark = process_mark(os.getpid())
    elif state == "queued":
        row.ended = None
    elif state in _ENDED:
        row.ended = now()


def list_jobs(store: Store, states: Collection[JobState], offset: int, limit: int | None) -> list[JobRow]:
    """Return a page of the jobs, the newest first; see `Project.jobs`."""
    statement = select(tables.Job).order_by(tables.Job.created.desc(), tables.Job.id.desc())
    if states:
        statement = statement.where(tables.Job.state.in_(states))
    with store.database.reading() as session:
        rows = session.scalars(statement.offset(offset).limit(limit))
        return [_to_record(store, row) for row in rows]


def count_jobs(store: Store) -> int:
    """Return how many jobs there are."""
    with store.database.reading() as session:
        return session.scalar(select(func.count()).select_from(tables.Job)) or 0


def find_job(store: Store, job_id: str) -> JobRow:
    """Return one job."""
    with store.database.reading() as session:
        return _to_record(store, _find(session, job_id))


def _find(session: Session, job_id: str) -> tables.Job:
    row = session.get(tables.Job, job_id)
    if row is None:
        raise NotFoundError(f"The project has no job '{job_id}'.", "List the jobs to see their ids.")
    return row


def _to_record(store: Store, row: tables.Job) -> JobRow:
    return JobRow(
        id=row.id,
        kind=row.kind,
        request=row.request,
        state=row.state,
        folder=store.folder / "jobs" / row.id,
        created=row.created,
        started=row.started,
        ended=row.ended,
        process_id=row.process_id,
        process_mark=row.process_mark,
        host=row.host,
        error=row.error,
        remedy=row.remedy,
    )
