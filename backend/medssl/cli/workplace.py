"""Where commands do their work: in a project of this computer, or through an engine elsewhere.

A command asks for a `Workplace` and does not care which one it got. `LocalWorkplace` is here; the other one,
`medssl.cli.remote.RemoteWorkplace`, talks to a service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from medssl.events import Monitor, Progress
    from medssl.inference.channels import ChannelRules, ModelChannels
    from medssl.jobs import JobResult, Request, Result, SeenState
    from medssl.labels import LabelSchema
    from medssl.learning.card import ModelCard
    from medssl.project import (
        Annotation,
        Case,
        CaseState,
        CaseSummary,
        JobRow,
        ModelRecord,
        Project,
        Role,
        SortKey,
        Suggestion,
    )

THERE = "engine:"
"""Begins a path of the engine's computer; every other path is one of this computer."""


class ProjectView(Protocol):
    """What commands do with a project; `medssl.project.Project` says what each method is."""

    @property
    def folder(self) -> Path:
        """See `Project`."""

    @property
    def name(self) -> str:
        """See `Project`."""

    @property
    def channel_names(self) -> Sequence[str]:
        """See `Project`."""

    @property
    def schema(self) -> LabelSchema:
        """See `Project`."""

    def set_schema(self, changed: LabelSchema) -> None:
        """See `Project`."""

    def add_case(
        self, name: str, channels: Sequence[Path], copy: bool = False, role: Role = "training"
    ) -> Case:
        """See `Project`."""

    def cases(
        self,
        *,
        state: CaseState | None = None,
        role: Role | None = None,
        text: str = "",
        sort: SortKey = "name",
        descending: bool = False,
        limit: int | None = None,
    ) -> list[CaseSummary]:
        """See `Project`."""

    def count_cases(self, *, state: CaseState | None = None) -> int:
        """See `Project`."""

    def case(self, case: str) -> Case:
        """See `Project`."""

    def set_role(self, case: str, role: Role) -> None:
        """See `Project`."""

    def save_annotation(
        self, case: str, values: Path, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """See `Project`."""

    def annotations(self, case: str) -> list[Annotation]:
        """See `Project`."""

    def restore_annotation(
        self, case: str, version: int, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """See `Project`."""

    def suggest(self) -> Suggestion:
        """See `Project`."""

    def review_queue(self) -> list[CaseSummary]:
        """See `Project`."""

    def accept(self, case: str, *, author: str = "", seconds: float | None = None) -> Annotation:
        """See `Project`."""

    def correct(
        self, case: str, values: Path, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """See `Project`."""

    def reject(self, case: str, *, author: str = "", seconds: float | None = None) -> None:
        """See `Project`."""

    def undo(self, case: str) -> Case:
        """See `Project`."""

    def models(self) -> list[ModelRecord]:
        """See `Project`."""

    def model(self, model_id: str = "latest") -> ModelRecord:
        """See `Project`."""

    def delete_model(self, model_id: str) -> None:
        """See `Project`."""


@dataclass(frozen=True)
class SeenJob:
    """A job as commands show it; `progress` is the last there was."""

    id: str
    kind: str
    state: SeenState
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str
    remedy: str
    folder: Path
    progress: Progress | None
    result: Result | None


class Workplace(Protocol):
    """A project, and a way to run jobs in it."""

    @property
    def project(self) -> ProjectView:
        """The project."""

    def run(self, request: Request, monitor: Monitor) -> JobResult:
        """Do what is asked; see `medssl.jobs.run_job`."""

    def resume(self, job_id: str, monitor: Monitor) -> JobResult:
        """Go on with a job; see `medssl.jobs.resume_job`."""

    def cancel(self, job_id: str, wait_s: float) -> SeenState:
        """Ask a job to stop, and wait for it; see `medssl.jobs.cancel_job`."""

    def jobs(self) -> list[SeenJob]:
        """List the jobs, the newest first, without progress and results."""

    def job(self, job_id: str) -> SeenJob:
        """Look at one job closely."""

    def card(self, model_id: str) -> ModelCard:
        """Read a model's card."""

    def channels(self, model_id: str) -> ModelChannels:
        """Read a model's rules for channels; see `medssl.inference.channels.model_channels`."""

    def set_channels(self, model_id: str, rules: ChannelRules | None) -> ModelChannels:
        """Change them; see `medssl.inference.channels.set_channel_rules`."""


class LocalWorkplace:
    """A project of this computer; jobs run in this process."""

    def __init__(self, project: Project) -> None:
        """Work in an open project."""
        self.project = project

    def run(self, request: Request, monitor: Monitor) -> JobResult:
        """See `Workplace`."""
        from medssl.jobs import run_job

        return run_job(self.project, request, monitor)

    def resume(self, job_id: str, monitor: Monitor) -> JobResult:
        """See `Workplace`."""
        from medssl.jobs import resume_job

        return resume_job(self.project, job_id, monitor)

    def cancel(self, job_id: str, wait_s: float) -> SeenState:
        """See `Workplace`."""
        from medssl.jobs import cancel_job

        return cancel_job(self.project, job_id, wait_s=wait_s)

    def jobs(self) -> list[SeenJob]:
        """See `Workplace`."""
        return [_seen(row) for row in self.project.jobs()]

    def job(self, job_id: str) -> SeenJob:
        """See `Workplace`."""
        from medssl.jobs import read_events, read_result

        row = self.project.job(job_id)
        progress = None
        for event in read_events(row.folder):
            if event.kind == "progress":
                progress = event
        return _seen(row, progress, read_result(row.folder))

    def card(self, model_id: str) -> ModelCard:
        """See `Workplace`."""
        from medssl.learning.card import read_card

        return read_card(self.project.model(model_id).folder)

    def channels(self, model_id: str) -> ModelChannels:
        """See `Workplace`."""
        from medssl.inference.channels import model_channels

        return model_channels(self.project.model(model_id).folder)

    def set_channels(self, model_id: str, rules: ChannelRules | None) -> ModelChannels:
        """See `Workplace`."""
        from medssl.inference.channels import set_channel_rules

        return set_channel_rules(self.project.model(model_id).folder, rules)


@dataclass(frozen=True)
class Elsewhere:
    """An engine elsewhere: its address, its token, and the certificate to trust (True: this computer's).

    `is_own` is whether the token was given by nobody, as the engine is this user's own: it must not pass
    through a proxy.
    """

    url: str
    token: str
    verify: bool | str
    is_own: bool


_ELSEWHERE: ContextVar[Elsewhere | None] = ContextVar("elsewhere", default=None)


def work_elsewhere(engine: Elsewhere | None) -> None:
    """Let the commands of this run work through an engine elsewhere, or here."""
    _ELSEWHERE.set(engine)


def is_elsewhere() -> bool:
    """Whether the commands of this run work through an engine elsewhere."""
    return _ELSEWHERE.get() is not None


@contextmanager
def workplace(folder: Path) -> Iterator[Workplace]:
    """Open the project in a folder, here or elsewhere."""
    engine = _ELSEWHERE.get()
    if engine is None:
        from medssl.project import Project

        with Project.open(folder) as project:
            yield LocalWorkplace(project)
        return
    from medssl.cli.remote import RemoteWorkplace, connected

    with connected(engine) as client:
        yield RemoteWorkplace.open(client, folder)


@contextmanager
def new_workplace(
    folder: Path, schema: LabelSchema, channel_names: Sequence[str], name: str
) -> Iterator[Workplace]:
    """Make a project in a folder, here or elsewhere, and open it; see `Project.create`."""
    engine = _ELSEWHERE.get()
    if engine is None:
        from medssl.project import Project

        with Project.create(folder, schema, channel_names, name) as project:
            yield LocalWorkplace(project)
        return
    from medssl.cli.remote import RemoteWorkplace, connected

    with connected(engine) as client:
        yield RemoteWorkplace.create(client, folder, schema, channel_names, name)


def full_path(path: Path) -> Path:
    """Make a path of a command a full one; one of the engine's computer stays as it is.

    Raises:
        ImageError: it is no text, see `check_name`.
    """
    from medssl.imaging.file_names import check_name

    check_name(path.absolute())
    return path if is_there(path) else path.absolute()


def is_there(path: Path) -> bool:
    """Whether a path of a command is one of the engine's computer."""
    return str(path).startswith(THERE)


def _seen(row: JobRow, progress: Progress | None = None, result: Result | None = None) -> SeenJob:
    from medssl.jobs import job_state

    return SeenJob(
        id=row.id,
        kind=row.kind,
        state=job_state(row),
        created=row.created,
        started=row.started,
        ended=row.ended,
        error=row.error,
        remedy=row.remedy,
        folder=row.folder,
        progress=progress,
        result=result,
    )
