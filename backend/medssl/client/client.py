"""The client: one function a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from medssl.client.connection import Connection, EngineError
from medssl.client.events import EventReader
from medssl.client.records import (
    Annotation,
    Case,
    CasePage,
    CaseSummary,
    CheckPoint,
    Device,
    Event,
    Folder,
    Job,
    KnownProject,
    Model,
    Options,
    Project,
    ServiceInfo,
    Upload,
    case_of,
    device_of,
    event_of,
    folder_of,
    job_of,
    options_of,
    project_of,
    record,
    upload_of,
)
from medssl.client.transfers import SLOW_S, receive, send

# Okabe and Ito's colors, as `medssl.labels.PALETTE`, which needs packages that a client may lack.
_COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0))


class Client:
    """Talks to one engine. Threads may share it; every function waits for its answer.

    Paths are those of the engine's computer, inside its `roots`; from another computer, `upload` a file
    first and give the path of the upload.

    All functions raise `EngineError`.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
        *,
        verify: bool | str = True,
        timeout_s: float = 30.0,
    ) -> None:
        """Name a service; nothing is sent yet.

        Args:
            url: such as 'https://gpu.example.org:8443'.
            token: what `medssl serve` keeps in its token file, or a function that reads it.
            verify: the PEM file of a certificate to trust, where this computer does not know it.
            timeout_s: how long an answer may take.
        """
        give = token if callable(token) else lambda: token
        self.connection = Connection(url, give, verify, timeout_s)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self.connection.url

    def service(self) -> ServiceInfo:
        """Describe the service."""
        found = self.connection.get("/v1/service")
        return record(ServiceInfo, found, roots=tuple(found["roots"]))

    def device(self) -> Device:
        """Look at processor, memory, disk and GPUs of the engine's computer."""
        return device_of(self.connection.get("/v1/device"))

    def options(self) -> Options:
        """Name the methods and pretext tasks, and the settings of every effort."""
        return options_of(self.connection.get("/v1/options"))

    def check_computer(self, folder: str | Path | None = None) -> tuple[CheckPoint, ...]:
        """Check the engine's computer; takes some seconds."""
        found = self.connection.get("/v1/doctor", {"folder": _text(folder)}, SLOW_S)
        return tuple(record(CheckPoint, point) for point in found["points"])

    def shutdown(self, force: bool = False) -> None:
        """End the service; with `force` even when jobs run, which then go on without it."""
        self.connection.change("POST", "/v1/shutdown", query={"force": force})

    def projects(self) -> tuple[KnownProject, ...]:
        """List the projects that were opened before, the one used last first."""
        return tuple(record(KnownProject, each) for each in self.connection.get("/v1/projects"))

    def create_project(
        self,
        name: str,
        segments: Mapping[int, str] | Mapping[str, Any],
        channel_names: Sequence[str] = ("image",),
        folder: str | Path | None = None,
    ) -> Project:
        """Make a project.

        Args:
            name: for people.
            segments: label values and names, such as {1: 'Liver'}; or a whole label schema as in the API.
            channel_names: what each image of a case is, in order.
            folder: empty or not there yet; without it, one with the project's name in the first root.
        """
        body = {
            "name": name,
            "label_schema": _schema(segments),
            "channel_names": list(channel_names),
            "folder": _text(folder),
        }
        return project_of(self.connection.change("POST", "/v1/projects", body))

    def open_project(self, folder: str | Path) -> Project:
        """Open the project in a folder."""
        return project_of(self.connection.change("POST", "/v1/projects/open", {"folder": _text(folder)}))

    def project(self, project: str) -> Project:
        """Describe a project."""
        return project_of(self.connection.get(_project(project)))

    def forget_project(self, project: str) -> None:
        """Leave a project out of `projects`; its folder stays as it is."""
        self.connection.change("DELETE", _project(project))

    def set_schema(self, project: str, segments: Mapping[int, str] | Mapping[str, Any]) -> Project:
        """Change the label schema: add segments, rename them, change colors and codes."""
        return project_of(self.connection.change("PUT", f"{_project(project)}/schema", _schema(segments)))

    def cases(
        self,
        project: str,
        *,
        state: str | None = None,
        role: str | None = None,
        text: str = "",
        sort: str = "name",
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> CasePage:
        """List cases, page by page; `sort` by 'name', 'score', 'state' or 'added'."""
        query = {
            "state": state,
            "role": role,
            "text": text,
            "sort": sort,
            "descending": descending,
            "offset": offset,
            "limit": limit,
        }
        found = self.connection.get(f"{_project(project)}/cases", query)
        return record(CasePage, found, cases=tuple(record(CaseSummary, each) for each in found["cases"]))

    def case(self, project: str, case: int | str) -> Case:
        """Return everything about a case, by its id or its name."""
        if isinstance(case, int):
            return case_of(self.connection.get(_case(project, case)))
        return case_of(self.connection.get(f"{_project(project)}/cases/named", {"name": case}))

    def add_case(
        self,
        project: str,
        name: str,
        channels: Sequence[str | Path],
        *,
        copy_files: bool = False,
        role: str = "training",
    ) -> Case:
        """Add a scan: one path for each channel of the project; uploads are copied into the project."""
        body = {
            "name": name,
            "channels": [_text(path) for path in channels],
            "copy_files": copy_files,
            "role": role,
        }
        return case_of(self.connection.change("POST", f"{_project(project)}/cases", body, timeout_s=SLOW_S))

    def set_role(self, project: str, case: int, role: str) -> Case:
        """Use a case for 'training' or 'validation', or make it 'excluded'."""
        return case_of(self.connection.change("PUT", f"{_case(project, case)}/role", {"role": role}))

    def download_channel(self, project: str, case: int, channel: int, target: str | Path) -> Path:
        """Download one image of a case, the first being 0."""
        return receive(self.connection, f"{_case(project, case)}/channels/{channel}", None, Path(target))

    def annotations(self, project: str, case: int) -> tuple[Annotation, ...]:
        """List all versions of a case's annotation, the oldest first."""
        found = self.connection.get(f"{_case(project, case)}/annotations")
        return tuple(record(Annotation, each) for each in found)

    def save_annotation(
        self, project: str, case: int, labels: str | Path, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """Save what a person drew as a new version; older ones stay."""
        body = {"labels": _text(labels), "author": author, "seconds": seconds}
        path = f"{_case(project, case)}/annotations"
        return record(Annotation, self.connection.change("POST", path, body, timeout_s=SLOW_S))

    def download_annotation(self, project: str, case: int, version: int, target: str | Path) -> Path:
        """Download one version of a case's annotation."""
        return receive(self.connection, f"{_case(project, case)}/annotations/{version}", None, Path(target))

    def review_queue(self, project: str) -> tuple[CaseSummary, ...]:
        """List the cases whose proposal waits for a decision, the most uncertain first."""
        return tuple(record(CaseSummary, each) for each in self.connection.get(f"{_project(project)}/review"))

    def download_proposal(self, project: str, case: int, target: str | Path) -> Path:
        """Download the label map of the newest proposal for a case."""
        return receive(self.connection, f"{_case(project, case)}/proposal/labels", None, Path(target))

    def download_uncertainty(self, project: str, case: int, target: str | Path) -> Path:
        """Download the uncertainty map of the newest proposal for a case."""
        return receive(self.connection, f"{_case(project, case)}/proposal/uncertainty", None, Path(target))

    def accept(
        self, project: str, case: int, pseudo_label: int, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """Make the proposal with this id, the one the person saw, an annotation."""
        body = {"pseudo_label_id": pseudo_label, "author": author, "seconds": seconds}
        return record(Annotation, self.connection.change("POST", f"{_case(project, case)}/accept", body))

    def correct(
        self,
        project: str,
        case: int,
        pseudo_label: int,
        labels: str | Path,
        *,
        author: str = "",
        seconds: float | None = None,
    ) -> Annotation:
        """Make the corrected label map of a proposal an annotation."""
        body = {
            "pseudo_label_id": pseudo_label,
            "labels": _text(labels),
            "author": author,
            "seconds": seconds,
        }
        found = self.connection.change("POST", f"{_case(project, case)}/correct", body, timeout_s=SLOW_S)
        return record(Annotation, found)

    def reject(
        self, project: str, case: int, pseudo_label: int, *, author: str = "", seconds: float | None = None
    ) -> Case:
        """Turn a proposal down."""
        body = {"pseudo_label_id": pseudo_label, "author": author, "seconds": seconds}
        return case_of(self.connection.change("POST", f"{_case(project, case)}/reject", body))

    def undo(self, project: str, case: int) -> Case:
        """Take back the last annotation or decision of a case."""
        return case_of(self.connection.change("POST", f"{_case(project, case)}/undo"))

    def submit(self, project: str, request: Mapping[str, Any]) -> Job:
        """Start a job: `kind` and the fields of that kind, as in the API."""
        return job_of(self.connection.change("POST", f"{_project(project)}/jobs", request))

    def jobs(self, project: str, *, offset: int = 0, limit: int = 50) -> tuple[Job, ...]:
        """List jobs, the newest first."""
        found = self.connection.get(f"{_project(project)}/jobs", {"offset": offset, "limit": limit})
        return tuple(job_of(each) for each in found["jobs"])

    def job(self, project: str, job: str) -> Job:
        """Return a job: its state, how far it is, and its result."""
        return job_of(self.connection.get(_job(project, job)))

    def cancel(self, project: str, job: str) -> Job:
        """Ask a job to stop; returns at once."""
        return job_of(self.connection.change("POST", f"{_job(project, job)}/cancel"))

    def resume(self, project: str, job: str) -> Job:
        """Go on with a job that was cancelled, failed or interrupted."""
        return job_of(self.connection.change("POST", f"{_job(project, job)}/resume"))

    def events(self, project: str, job: str, after: int = 0) -> tuple[Event, ...]:
        """Return what a job reported after the event with a number."""
        found = self.connection.get(f"{_job(project, job)}/events", {"after": after})
        return tuple(event_of(each["number"], each["event"]) for each in found["events"])

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
        path = f"{_job(project, job)}/events/stream"
        return EventReader(self.connection, path, after, on_event, on_end, on_error)

    def job_log(self, project: str, job: str) -> str:
        """Return the end of a job's log."""
        return self.connection.text(f"{_job(project, job)}/log")

    def models(self, project: str) -> tuple[Model, ...]:
        """List the models, the newest first."""
        return tuple(record(Model, each) for each in self.connection.get(f"{_project(project)}/models"))

    def model(self, project: str, model: str = "latest") -> Model:
        """Return a model with its card."""
        return record(Model, self.connection.get(f"{_project(project)}/models/{quote(model, safe='')}"))

    def delete_model(self, project: str, model: str) -> None:
        """Delete a model and its files; what it proposed stays."""
        self.connection.change("DELETE", f"{_project(project)}/models/{quote(model, safe='')}")

    def upload(self, file: str | Path) -> Upload:
        """Send a volume to the engine's computer, where it stays for a day."""
        return upload_of(send(self.connection, Path(file)))

    def remove_upload(self, upload_id: str) -> None:
        """Remove an uploaded file before its day is over."""
        self.connection.change("DELETE", f"/v1/uploads/{quote(upload_id, safe='')}")

    def download(self, path: str | Path, target: str | Path) -> Path:
        """Download a result: a segmentation, a table or a report."""
        return receive(self.connection, "/v1/files", {"path": _text(path)}, Path(target))

    def folder(self, folder: str | Path | None = None) -> Folder:
        """Look into a folder of the engine's computer; without one, at its roots."""
        return folder_of(self.connection.get("/v1/folders", {"folder": _text(folder)}))


def _project(project: str) -> str:
    return f"/v1/projects/{quote(project, safe='')}"


def _case(project: str, case: int) -> str:
    return f"{_project(project)}/cases/{case}"


def _job(project: str, job: str) -> str:
    return f"{_project(project)}/jobs/{quote(job, safe='')}"


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _schema(segments: Mapping[Any, Any]) -> Mapping[str, Any]:
    if "segments" in segments:
        return segments
    numbered = enumerate(sorted(segments.items()))
    return {
        "segments": [
            {"name": name, "value": value, "colour": list(_COLORS[i % len(_COLORS)])}
            for i, (value, name) in numbered
        ]
    }
