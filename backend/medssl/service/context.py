"""What the requests of one service share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from fastapi import Path as InAddress

from medssl.jobs.engine import Engine
from medssl.project import Project
from medssl.service.activity import Activity
from medssl.service.paths import Roots
from medssl.service.projects import Projects
from medssl.service.settings import ServiceSettings
from medssl.service.snapshots import Snapshots
from medssl.service.token import TokenFile
from medssl.service.uploads import Uploads
from medssl.service.voxels import VoxelWorker


@dataclass
class Service:
    """The parts of a running service.

    Attributes:
        instance: new at every start.
        voxels: for what a person waits for.
        snapshots: what was just answered about jobs.
        sketches: for pictures of cases, of which many may be asked for at once.
        stopping: set when the service is about to end; streams end then.
    """

    settings: ServiceSettings
    instance: str
    engine: Engine
    token: TokenFile
    activity: Activity
    roots: Roots
    projects: Projects
    voxels: VoxelWorker
    sketches: VoxelWorker
    uploads: Uploads
    snapshots: Snapshots = field(default_factory=Snapshots)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    stopping: bool = False

    def is_upload(self, path: Path) -> bool:
        """Whether a checked path is that of an uploaded file, which will not stay."""
        return path.is_relative_to(self.uploads.folder)


async def _service(request: Request) -> Service:
    found = request.app.state.service
    assert isinstance(found, Service)
    return found


ServiceOf: TypeAlias = Annotated[Service, Depends(_service)]
ProjectKey: TypeAlias = Annotated[str, InAddress(description="Key of a project.", max_length=40)]


async def _project(service: ServiceOf, project: ProjectKey) -> Project:
    # A look at its folder may take long, and takes none of the threads that the other requests need.
    return await asyncio.wrap_future(service.projects.arriving(project))


ProjectOf: TypeAlias = Annotated[Project, Depends(_project)]
