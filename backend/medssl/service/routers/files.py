"""Files that travel: uploads, results to download, and a look into allowed folders."""

from __future__ import annotations

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
from medssl.service.views import Done, FolderEntry, FolderView, ResultFolder, UploadView
from medssl.storage import storage_error

router = APIRouter(prefix="/v1", tags=["files"])

_MOST_ENTRIES = 2000
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.post("/uploads", status_code=201, openapi_extra={"requestBody": {"required": True, **_BODY}})
async def upload(
    service: ServiceOf,
    request: Request,
    name: Annotated[str, Query(max_length=255, examples=["scan.nii.gz"])],
    sha256: Annotated[str | None, Query(pattern="^[0-9a-fA-F]{64}$")] = None,
) -> UploadView:
    """Send a volume or a model's zip as the body. Other requests then name it by its `path`, for a day."""
    length = request.headers.get("content-length")
    made = await service.uploads.receive(name, _chunks(request), int(length) if length else None, sha256)
    return UploadView(
        id=made.id, path=made.path, size_bytes=made.size_bytes, sha256=made.sha256, grid=made.grid
    )


@router.post("/uploads/folder", status_code=201)
def make_folder(service: ServiceOf) -> ResultFolder:
    """Make a folder for the results of a job that the client fetches afterwards; it is there for a day."""
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
) -> FolderView:
    """Look into an allowed folder. Hidden entries are left out."""
    if folder is None:
        roots = [_entry(root.name or str(root), root) for root in service.roots.folders]
        return FolderView(folder=None, entries=tuple(roots), complete=True)
    real = service.roots.inside(folder)
    if not real.is_dir():
        raise NotFoundError(f"There is no folder {folder}.", "Check the path.")
    entries: list[FolderEntry] = []
    try:
        with os.scandir(real) as found:
            for each in found:
                if each.name.startswith(".") or each.is_symlink() or not (each.is_dir() or each.is_file()):
                    continue
                if len(entries) == _MOST_ENTRIES:
                    return FolderView(folder=real, entries=_sorted(entries), complete=False)
                entries.append(_entry(each.name, Path(each.path)))
    except OSError as error:
        raise StorageError(f"{folder} cannot be read.", "Ask for permission to read it.") from error
    return FolderView(folder=real, entries=_sorted(entries), complete=True)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
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
        is_project=is_folder and (path / DATABASE_NAME).is_file(),
        size_bytes=size,
    )


def _sorted(entries: list[FolderEntry]) -> tuple[FolderEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: (not entry.is_folder, entry.name.casefold())))


def _as_text(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
