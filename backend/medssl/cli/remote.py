"""Commands through a service: jobs run there, and are watched from here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from medssl.cli.journeys import recall
from medssl.cli.luggage import Luggage
from medssl.cli.remote_project import RemoteProject, connected, error_of, there
from medssl.cli.workplace import SeenJob, is_there
from medssl.client import Client, EngineError
from medssl.client import records as told
from medssl.errors import Cancelled, ModelError, UsageError
from medssl.events import EVENT, Event, Monitor, Progress, State
from medssl.inference.channels import ChannelRules, ModelChannels
from medssl.jobs import ImportRequest, JobResult, Request, SeenState
from medssl.jobs.importing import import_folder
from medssl.jobs.results import RESULT
from medssl.labels import LabelSchema
from medssl.learning.card import ModelCard

__all__ = ["RemoteWorkplace", "connected"]

_JOBS = 200  # of a page
_LOOK_S = 0.2
_STATE: TypeAdapter[SeenState] = TypeAdapter(SeenState)
_MOMENT = TypeAdapter(datetime)


class RemoteWorkplace:
    """A project of the engine's computer; jobs run there."""

    def __init__(self, client: Client, project: RemoteProject) -> None:
        """Work in a project that the engine knows."""
        self._client = client
        self.project = project

    @classmethod
    def open(cls, client: Client, folder: Path) -> RemoteWorkplace:
        """Open a project by its folder on the engine's computer."""
        if folder == Path():
            raise UsageError(
                "Nothing says which project of the engine's computer is meant.",
                "Name its folder there with --project.",
            )
        return cls(client, RemoteProject(client, client.open_project(there(client, folder))))

    @classmethod
    def create(
        cls, client: Client, folder: Path, schema: LabelSchema, channel_names: Sequence[str], name: str
    ) -> RemoteWorkplace:
        """Make a project in a folder of the engine's computer."""
        place = there(client, folder)
        segments = schema.model_dump(mode="json")
        made = client.create_project(name or Path(place).name, segments, channel_names, place)
        return cls(client, RemoteProject(client, made))

    def run(self, request: Request, monitor: Monitor) -> JobResult:
        """See `Workplace`. What lies on this computer is sent before, and results are fetched afterwards."""
        if isinstance(request, ImportRequest) and not is_there(request.folder):
            began = time.monotonic()
            result = import_folder(self.project, request, monitor)
            return JobResult(job_id="", seconds=time.monotonic() - began, result=result)
        with Luggage(self._client, lambda path: there(self._client, path)) as luggage:
            job = self._client.submit(self.project.key, luggage.pack(request, monitor))
            luggage.travels_with(job.id)
            return luggage.unpack(self._follow(job.id, monitor, 0, luggage), monitor)

    def resume(self, job_id: str, monitor: Monitor) -> JobResult:
        """See `Workplace`. A job that was begun from here is found again, whatever has become of it."""
        journey = recall(job_id)
        known = self._client.events(self.project.key, job_id)
        job = self._client.job(self.project.key, job_id)
        if journey is None or job.state in ("failed", "cancelled", "interrupted"):
            job = self._client.resume(self.project.key, job_id)
        with Luggage(self._client, lambda path: there(self._client, path), job_id, journey) as luggage:
            after = known[-1].number if known else 0
            return luggage.unpack(self._follow(job.id, monitor, after, luggage), monitor)

    def cancel(self, job_id: str, wait_s: float) -> SeenState:
        """See `Workplace`; the service ends what does not stop."""
        job = self._client.cancel(self.project.key, job_id)
        deadline = time.monotonic() + wait_s
        while not job.over and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            job = self._client.job(self.project.key, job_id)
        return _seen(job).state

    def jobs(self) -> list[SeenJob]:
        """See `Workplace`."""
        found: list[told.Job] = []
        while True:
            page = self._client.jobs(self.project.key, offset=len(found), limit=_JOBS)
            found += page
            if len(page) < _JOBS:
                return [_seen(job) for job in found]

    def job(self, job_id: str) -> SeenJob:
        """See `Workplace`."""
        job = self._client.job(self.project.key, job_id)
        events = self._client.events(self.project.key, job_id)
        progress = [event for event in events if event.kind == "progress"]
        return _seen(job, _event(progress[-1]) if progress else None)

    def card(self, model_id: str) -> ModelCard:
        """See `Workplace`."""
        model = self._client.model(self.project.key, model_id)
        if model.card is None:
            raise ModelError(model.problem)
        return ModelCard.model_validate(model.card)

    def channels(self, model_id: str) -> ModelChannels:
        """See `Workplace`."""
        return _channels(self._client.channel_rules(self.project.key, model_id))

    def set_channels(self, model_id: str, rules: ChannelRules | None) -> ModelChannels:
        """See `Workplace`."""
        wanted = None if rules is None else rules.model_dump(mode="json", exclude_none=True)
        return _channels(self._client.set_channel_rules(self.project.key, model_id, wanted))

    def _follow(self, job_id: str, monitor: Monitor, after: int, luggage: Luggage) -> JobResult:
        """Show what a job reports until it ends; a wish to stop is passed on."""
        began, failed, asked = time.monotonic(), list[EngineError](), False
        code = ""

        def show(told_event: told.Event) -> None:
            nonlocal code
            event = _event(told_event, luggage)
            if isinstance(event, State):
                code = event.code
            monitor.emit(event)

        reader = self._client.watch(self.project.key, job_id, show, on_error=failed.append, after=after)
        try:
            while not reader.join(_LOOK_S):
                if monitor.cancelled and not asked:
                    asked = True
                    self._ask_to_stop(job_id)
        finally:
            reader.stop()
        if failed:
            raise failed[0]
        job = self._client.job(self.project.key, job_id)
        if job.state == "finished":
            result = RESULT.validate_python(job.result)
            return JobResult(job_id=job_id, seconds=time.monotonic() - began, result=result)
        if job.state == "cancelled":
            again = f"Go on with: medssl --remote {self._client.url} job resume {job_id} "
            raise Cancelled(remedy=f'{again}--project "{self.project.folder}"')
        what = luggage.at_home(job.error) or f"The job {job_id} is {job.state}."
        raise error_of(code, what, luggage.at_home(job.remedy))

    def _ask_to_stop(self, job_id: str) -> None:
        """Pass the wish to stop on; a job that has ended just now is told of as if nobody had wished it."""
        try:
            self._client.cancel(self.project.key, job_id)
        except EngineError as error:
            if error.code != UsageError.code:
                raise


def _event(event: told.Event, luggage: Luggage | None = None) -> Event:
    """Turn a record of the client, which has room for all kinds, into an event of its own kind."""
    kept = {name: value for name, value in asdict(event).items() if name != "number"}
    if luggage is not None:
        texts = ("text", "error", "remedy", "note", "source")
        kept |= {name: luggage.at_home(kept[name]) for name in texts if kept[name]}
    return EVENT.validate_python(kept)


def _seen(job: told.Job, progress: Event | None = None) -> SeenJob:
    return SeenJob(
        id=job.id,
        kind=job.kind,
        state=_STATE.validate_python(job.state),
        created=_MOMENT.validate_python(job.created),
        started=None if job.started is None else _MOMENT.validate_python(job.started),
        ended=None if job.ended is None else _MOMENT.validate_python(job.ended),
        error=job.error,
        remedy=job.remedy,
        folder=Path(job.folder),
        progress=progress if isinstance(progress, Progress) else None,
        result=None if job.result is None else RESULT.validate_python(job.result),
    )


def _channels(found: told.ModelChannels) -> ModelChannels:
    return ModelChannels.model_validate(asdict(found))
