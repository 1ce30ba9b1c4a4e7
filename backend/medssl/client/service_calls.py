"""The service itself, its computer and its projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medssl.client.answers import device_of, options_of, project_of, record
from medssl.client.calls import Calls, as_schema, as_text, project_path
from medssl.client.records import CheckPoint, Device, KnownProject, Options, Project, ServiceInfo
from medssl.client.transfers import SLOW_S


class ServiceCalls(Calls):
    """The service itself, its computer and its projects."""

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
        found = self.connection.get("/v1/doctor", {"folder": as_text(folder)}, SLOW_S)
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
            "label_schema": as_schema(segments),
            "channel_names": list(channel_names),
            "folder": as_text(folder),
        }
        return project_of(self.connection.change("POST", "/v1/projects", body))

    def open_project(self, folder: str | Path) -> Project:
        """Open the project in a folder."""
        return project_of(self.connection.change("POST", "/v1/projects/open", {"folder": as_text(folder)}))

    def project(self, project: str) -> Project:
        """Describe a project."""
        return project_of(self.connection.get(project_path(project)))

    def forget_project(self, project: str) -> None:
        """Leave a project out of `projects`; its folder stays as it is."""
        self.connection.change("DELETE", project_path(project))

    def set_schema(self, project: str, segments: Mapping[int, str] | Mapping[str, Any]) -> Project:
        """Change the label schema: add segments, rename them, change colors and codes."""
        return project_of(
            self.connection.change("PUT", f"{project_path(project)}/schema", as_schema(segments))
        )
