"""The service itself, its computer and its projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medssl.client.answers import device_of, done, each, options_of, project_of, record_of, service_of
from medssl.client.calls import Calls, as_schema, as_text, project_path
from medssl.client.records import CheckPoint, Device, KnownProject, Options, Project, ServiceInfo
from medssl.client.transfers import SLOW_S


class ServiceCalls(Calls):
    """The service itself, its computer and its projects."""

    def service(self) -> ServiceInfo:
        """Describe the service."""
        return self.connection.get("/v1/service", service_of)

    def device(self) -> Device:
        """Look at processor, memory, disk and GPUs of the engine's computer."""
        return self.connection.get("/v1/device", device_of)

    def options(self) -> Options:
        """Name the methods and pretext tasks, and the settings of every effort."""
        return self.connection.get("/v1/options", options_of)

    def check_computer(self, folder: str | Path | None = None) -> tuple[CheckPoint, ...]:
        """Check the engine's computer; takes some seconds."""
        points = each(record_of(CheckPoint))
        query = {"folder": as_text(folder)}
        return self.connection.get("/v1/doctor", lambda found: points(found["points"]), query, SLOW_S)

    def shutdown(self, force: bool = False) -> None:
        """End the service; with `force` even when jobs run, which then go on without it."""
        self.connection.change("POST", "/v1/shutdown", done, query={"force": force})

    def projects(self) -> tuple[KnownProject, ...]:
        """List the projects that were opened before, the one used last first."""
        return self.connection.get("/v1/projects", each(record_of(KnownProject)))

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
            "label_schema": as_schema(segments),
            "channel_names": list(channel_names),
            "folder": as_text(folder),
        }
        return self.connection.change("POST", "/v1/projects", project_of, body)

    def open_project(self, folder: str | Path) -> Project:
        """Open the project in a folder."""
        return self.connection.change("POST", "/v1/projects/open", project_of, {"folder": as_text(folder)})

    def project(self, project: str) -> Project:
        """Describe a project."""
        return self.connection.get(project_path(project), project_of)

    def forget_project(self, project: str) -> None:
        """Leave a project out of `projects`; its folder stays as it is."""
        self.connection.change("DELETE", project_path(project), done)

    def set_schema(
        self,
        project: str,
        segments: Mapping[int, str] | Mapping[str, Any],
        *,
        seen: Project | None = None,
    ) -> Project:
        """Change the label schema: add segments, rename them, change colors and codes.

        With `seen`, the project as the person saw it, it is refused when its label schema is another by now.
        """
        body = {**as_schema(segments), "seen": None if seen is None else seen.label_schema}
        return self.connection.change("PUT", f"{project_path(project)}/schema", project_of, body)
