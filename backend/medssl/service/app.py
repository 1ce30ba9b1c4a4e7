"""Putting the service together."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI

from medssl import __version__
from medssl.jobs import Request
from medssl.jobs.engine import Engine
from medssl.project import JobRow
from medssl.service import page
from medssl.service.activity import Activity
from medssl.service.context import Service
from medssl.service.downloads import Responses
from medssl.service.guard import Guard
from medssl.service.paths import Roots
from medssl.service.problems import Problem, install_handlers
from medssl.service.projects import Projects
from medssl.service.routers import cases, files, jobs, models, options, projects, review, rows, system
from medssl.service.settings import ServiceSettings
from medssl.service.token import TokenFile
from medssl.service.uploads import Uploads
from medssl.service.voxels import VoxelWorker

_LOG = logging.getLogger(__name__)
_DESCRIPTION = """
The engine of MedSSL. Every request but `/v1/health` carries the header `Authorization: Bearer <token>`; the
token is in the file that `medssl serve` names. Every error is a `Problem`: `code` for programs, `message` and
`remedy` for people.
"""
_TIDY_S = 3600.0
_THREADS = 64  # requests that are answered at once; each waits for a disk, not for the processor
_PROBLEMS: Responses = {
    "default": {"model": Problem, "description": "What went wrong, and what to do."},
    422: {"model": Problem, "description": "What is wrong about the request, and what to do."},
}


def create_app(settings: ServiceSettings) -> FastAPI:
    """Make the service as an ASGI app; its parts are in `app.state.service`.

    Raises:
        StorageError: a folder that is needed cannot be made.
    """
    service = _make_service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        service.engine.start()
        tidying = asyncio.create_task(_tidy(service))
        try:
            yield
        finally:
            service.stopping = True
            tidying.cancel()
            # Jobs go on without the service; the next one finds them.
            await anyio.to_thread.run_sync(service.engine.stop, False)
            service.voxels.close()
            service.sketches.close()
            service.projects.close()

    app = FastAPI(
        title="MedSSL",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        responses=_PROBLEMS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.service = service
    install_handlers(app)
    for part in (system, options, projects, cases, review, jobs, rows, models, files):
        app.include_router(part.router)
    app.include_router(page.router)
    app.add_middleware(Guard, token=service.token, activity=service.activity, local=settings.is_local)
    return app


async def _tidy(service: Service) -> None:
    """Remove old uploads now, when the engine has found its jobs, and every hour."""
    while True:
        try:
            await asyncio.to_thread(_remove_old_uploads, service)
        except Exception:  # noqa: BLE001 - whatever it was, patients' scans must go at the next attempt
            _LOG.exception("Old uploads could not be removed")
        await asyncio.sleep(_TIDY_S)


def _remove_old_uploads(service: Service) -> None:
    service.uploads.remove_old(service.engine.unfinished_requests())


def _make_service(settings: ServiceSettings) -> Service:
    roots = Roots(settings.allowed_folders(), settings.uploads)

    def check(row: JobRow, request: Request) -> None:
        """A project may come from anywhere, and others may write in it: its jobs keep to our folders too."""
        roots.inside(row.folder)
        roots.inside_request(request)

    engine = Engine(memory=settings.state_folder / "unfinished.json", check=check)
    voxels = VoxelWorker()
    return Service(
        settings=settings,
        instance=secrets.token_hex(8),
        engine=engine,
        token=TokenFile(settings.state_folder),
        activity=Activity(),
        roots=roots,
        projects=Projects(settings.state_folder / "projects.json", roots, engine.recover),
        voxels=voxels,
        sketches=VoxelWorker(),
        uploads=Uploads(settings.uploads, settings.max_upload_bytes, voxels),
    )
