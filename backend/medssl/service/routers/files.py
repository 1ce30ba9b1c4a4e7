"""Files that travel: uploads, results to download, and a look into allowed folders."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from medssl.errors import NotFoundError, StorageError, UsageError
from medssl.project import DATABASE_NAME
from medssl.service.context import ServiceOf
from medssl.service.downloads import FILE, file_response
from medssl.service.views import LARGEST_ID, Done, FolderEntry, FolderView, ResultFolder, UploadView
from medssl.storage import storage_error

router = APIRouter(prefix="/v1", tags=["files"])

_MOST_ENTRIES = 2000
_SILENCE_S = 120.0  # between two pieces of an upload
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.post("/uploads", status_code=201, openapi_extra={"requestBody": {"required": True, **_BODY}})
async def upload(
    service: ServiceOf,
    request: Request,
    name: Annotated[str, Query(max_length=1000, examples=["scan.nii.gz"])],
    sha256: Annotated[str | None, Query(pattern="^[0-9a-fA-F]{64}$")] = None,
    folder: Annotated[
        str | None,
        Query(
            description="Id of a folder from `/v1/uploads/folder`; `name` may then be `sub/scan.nii.gz`.",
            max_length=32,
        ),
    ] = None,
) -> UploadView:
    """Send a volume or a model's zip as the body. Other requests then name it by its `path`, for a day.

    A DICOM series is sent image by image, each ending in `.dcm`, into a folder, which stands for the series.
    """
    length = request.headers.get("content-length")
    size = int(length) if length else None
    made = await service.uploads.receive(name, _chunks(request), size, sha256, folder)
    return UploadView(
        id=made.id, path=made.path, size_bytes=made.size_bytes, sha256=made.sha256, grid=made.grid
    )


@router.post("/uploads/folder", status_code=201)
def make_folder(service: ServiceOf) -> ResultFolder:
    """Make a folder for uploads that belong together, or for results to fetch; it is there for a day."""
    made, path = service.uploads.make_folder()
    return ResultFolder(id=made, path=path)


@router.delete("/uploads/{upload_id}")
def remove_upload(service: ServiceOf, upload_id: str) -> Done:
    """Remove an uploaded file, or a folder for results."""
    service.uploads.remove(upload_id)
    return Done()


@router.get("/files", response_class=FileResponse, responses=FILE)
def download(service: ServiceOf, path: Annotated[Path, Query()]) -> FileResponse:
    """Download a result from an allowed folder: a volume, a table or a report."""
    return file_response(service, path)


@router.get("/folders")
def list_folder(
    service: ServiceOf,
    folder: Annotated[Path | None, Query(description="Empty for the allowed folders.")] = None,
    offset: Annotated[int, Query(description="Entries to pass over.", ge=0, le=LARGEST_ID)] = 0,
) -> FolderView:
    """Look into an allowed folder, 2000 entries at a time: folders first. Hidden entries are left out."""
    if folder is None:
        roots = [_entry(root.name or str(root), root) for root in service.roots.folders]
        return FolderView(folder=None, entries=tuple(roots), complete=True)
    real = service.roots.inside(folder)
    if not real.is_dir():
        raise NotFoundError(f"There is no folder {folder}.", "Check the path.")
    try:
        with os.scandir(real) as found:
            shown = sorted(
                (not each.is_dir(), each.name.casefold(), each.name) for each in found if _is_shown(each)
            )
        page = shown[offset : offset + _MOST_ENTRIES]
        entries = tuple(_entry(name, real / name) for _, _, name in page)
    except OSError as error:
        raise StorageError(f"{folder} cannot be read.", "Ask for permission to read it.") from error
    return FolderView(folder=real, entries=entries, complete=offset + len(page) >= len(shown))


def _is_shown(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and not entry.is_symlink() and (entry.is_dir() or entry.is_file())


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    try:
        while True:
            yield await asyncio.wait_for(anext(stream), _SILENCE_S)
    except StopAsyncIteration:
        return
    except (ClientDisconnect, asyncio.TimeoutError) as error:  # a network that is gone says nothing
        raise UsageError("The client went away in the middle of an upload.", "Send it again.") from error


def _entry(name: str, path: Path) -> FolderEntry:
    is_folder = path.is_dir()
    try:
        size = 0 if is_folder else path.stat().st_size
    except OSError as error:
        raise storage_error(error, path) from error
    return FolderEntry(
        name=_as_text(name),
        path=path,
        is_folder=is_folder,
        is_project=is_folder and _is_project(path),
        size_bytes=size,
    )


def _is_project(folder: Path) -> bool:
    """Whether a folder is a project, as far as one may see: one that is closed keeps no others from sight."""
    return os.path.isfile(folder / DATABASE_NAME)  # noqa: PTH113 - `is_file` raises there


def _as_text(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
