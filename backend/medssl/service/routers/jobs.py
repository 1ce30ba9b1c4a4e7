"""Jobs: starting, watching, cancelling and resuming them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Body, Header, Query
from fastapi import Path as InAddress
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from medssl.events import EVENT, State
from medssl.jobs import Request, SeenState
from medssl.jobs.files import LOG_FILE
from medssl.project import Project
from medssl.service.context import ProjectOf, Service, ServiceOf
from medssl.service.downloads import Responses
from medssl.service.examples import JOB
from medssl.service.job_views import job_view, tail
from medssl.service.snapshots import Snapshot
from medssl.service.views import LARGEST_ID, EventPage, JobPage, JobView, NumberedEvent

router = APIRouter(prefix="/v1/projects/{project}/jobs", tags=["jobs"])

JobId: TypeAlias = Annotated[str, InAddress(description="Id of a job.", max_length=100)]
After: TypeAlias = Annotated[int, Query(description="Only events with a higher number.", ge=0, le=LARGEST_ID)]

_OVER = ("finished", "failed", "cancelled", "interrupted")
_LOOK_S = 0.5  # between looks for new events, which cost little
_STATE_S = 5.0  # between looks at the job itself, in case that it ended without a word
_ALIVE_S = 10.0  # between signs of life of a stream that has nothing to say
_MOST_EVENTS = 5000  # of one answer
_LOG_BYTES = 256 << 10
_TEXT: Responses = {200: {"description": "The log.", "content": {"text/plain": {}}}}
_STREAM: Responses = {200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}}}


@router.post("", status_code=201)
def submit(
    service: ServiceOf, project: ProjectOf, wanted: Annotated[Request, Body(openapi_examples=JOB)]
) -> JobView:
    """Start a job, or queue it while the device is busy."""
    row = service.engine.submit(project.folder, service.roots.inside_request(wanted))
    return job_view(project.folder, row)


@router.get("")
def list_jobs(
    service: ServiceOf,
    project: ProjectOf,
    offset: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """List jobs, the newest first, page by page."""
    begun = time.monotonic()
    page = tuple(job_view(project.folder, row) for row in project.jobs(offset=offset, limit=limit))
    for view in page:
        service.snapshots.renew((project.folder, view.id), view, begun)
    return JobPage(total=project.count_jobs(), jobs=page)


@router.get("/{job}", response_model=JobView)
async def one_job(service: ServiceOf, project: ProjectOf, job: JobId) -> Response:
    """Return a job: its state, how far it is, and its result."""
    snapshot = service.snapshots.recent((project.folder, job))
    if snapshot is None:
        snapshot = await asyncio.to_thread(_look, service, project, job)
    return _as_json(snapshot.content)


@router.post("/{job}/cancel", response_model=JobView)
def cancel(service: ServiceOf, project: ProjectOf, job: JobId) -> Response:
    """Ask a job to stop; its processes are ended when it does not. Returns at once."""
    service.engine.cancel(project.folder, job)
    return _as_json(_look(service, project, job).content)


@router.post("/{job}/resume", response_model=JobView)
def resume(service: ServiceOf, project: ProjectOf, job: JobId) -> Response:
    """Go on with a job that was cancelled, failed or interrupted."""
    service.engine.resume(project.folder, job)
    return _as_json(_look(service, project, job).content)


@router.get("/{job}/events", response_model=EventPage)
def events(service: ServiceOf, project: ProjectOf, job: JobId, after: After = 0) -> Response:
    """Return what a job reported after an event; ask again with the last number for more."""
    # The state first: events that follow a last state would otherwise be missed.
    seen = service.snapshots.recent((project.folder, job)) or _look(service, project, job)
    found = service.engine.events(project.folder, job, after, _MOST_EVENTS)
    page = EventPage(state=seen.state, events=tuple(NumberedEvent(number=n, event=e) for n, e in found))
    return _as_json(page.model_dump_json())


@router.get("/{job}/events/stream", response_class=StreamingResponse, responses=_STREAM)
def stream(
    service: ServiceOf,
    project: ProjectOf,
    job: JobId,
    after: After = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=LARGEST_ID)] = None,
) -> StreamingResponse:
    """Send what a job reports as it happens, until it ends; `Last-Event-ID` or `after` resumes."""
    project.job(job)  # an unknown one is told before the stream begins
    begin = after if last_event_id is None else last_event_id
    return StreamingResponse(_stream(service, project, job, begin), media_type="text/event-stream")


@router.get("/{job}/log", response_class=Response, responses=_TEXT)
def log(service: ServiceOf, project: ProjectOf, job: JobId) -> PlainTextResponse:
    """Return the end of a job's log, for the engineer who is asked for help."""
    # Others may write in a shared project: its log may be a link to any file.
    path = service.roots.inside(project.job(job).folder / LOG_FILE)
    return PlainTextResponse(tail(path, _LOG_BYTES))


def _look(service: Service, project: Project, job: str) -> Snapshot:
    key = (project.folder, job)
    return service.snapshots.look(key, lambda: job_view(project.folder, project.job(job)))


def _as_json(content: str) -> Response:
    """Answer what is asked all the time without FastAPI's second look at it, which costs as much again."""
    return Response(content, media_type="application/json")


async def _stream(service: Service, project: Project, job: str, after: int) -> AsyncIterator[str]:
    heard, looked = time.monotonic(), -_STATE_S
    over: SeenState | None = None
    yield "retry: 1000\n\n"
    while not service.stopping:
        events = await asyncio.to_thread(service.engine.events, project.folder, job, after, _MOST_EVENTS)
        now = time.monotonic()
        if events:
            heard, after = now, events[-1][0]
            yield "".join(
                f"id: {n}\nevent: {e.kind}\ndata: {EVENT.dump_json(e).decode()}\n\n" for n, e in events
            )
        elif over is not None:
            yield f"event: end\ndata: {over}\n\n"
            return
        elif now - heard > _ALIVE_S:
            heard = now
            yield ": still there\n\n"
        ending = any(isinstance(event, State) and event.state in _OVER for _, event in events)
        if ending or now - looked > _STATE_S:
            looked = now
            # Kept, so that who hears of the end and asks for the job is not told what it was before.
            state = (await asyncio.to_thread(_look, service, project, job)).state
            # Once more for what was reported just before it; and a job can be resumed.
            over = state if state in _OVER else None
        if over is None and len(events) < _MOST_EVENTS:
            await asyncio.sleep(_LOOK_S)
