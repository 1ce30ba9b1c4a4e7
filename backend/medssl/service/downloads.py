"""Sending files: only such as may be sent, streamed, and never shown as a page of our own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, TypeAlias

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from medssl.errors import NotFoundError
from medssl.imaging.formats import READABLE, suffix_of
from medssl.service.context import Service
from medssl.service.paths import PathError

Responses: TypeAlias = dict[int | str, dict[str, Any]]  # FastAPI's own type

_BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
FILE: Responses = {200: {"description": "The file, byte for byte.", **_BINARY}}
_SENT = (*READABLE, ".raw", ".dcm", ".csv", ".html", ".json", ".txt", ".png", ".safetensors", ".zip", ".onnx")


def volume_response(service: Service, path: Path) -> FileResponse:
    """Send a volume that the project names, wherever in the allowed folders it is."""
    real = service.roots.inside(path)
    if real.is_dir():
        return _converted(service, real)
    if suffix_of(real) is None:  # a DICOM file may have any name, but then it is no single volume
        raise PathError(f"{path} is not a volume in one file.", "Copy it into the project as one.")
    return _response(real, path)


def file_response(service: Service, path: Path) -> FileResponse:
    """Send a result; other files, and hidden ones, are nobody's business."""
    real = service.roots.inside(path)
    hidden = any(part.startswith(".") for part in real.relative_to(_root_of(service, real)).parts)
    # What lies among the uploads, clients have sent there or let a job write there.
    if hidden or not (service.is_upload(real) or real.name.lower().endswith(_SENT)):
        raise PathError(
            f"{path} is not a file that this service sends.", "It sends volumes, tables and reports."
        )
    return _response(real, path)


def _response(real: Path, named: Path) -> FileResponse:
    if not real.is_file():
        raise NotFoundError(f"There is no file {named}.", "Check the path.")
    # Sandboxed, and as an attachment: a report has a script of its own, which must not see our token.
    headers = {"Content-Security-Policy": "sandbox"}
    name = real.name.encode("utf-8", "replace").decode("utf-8")
    return FileResponse(real, media_type="application/octet-stream", filename=name, headers=headers)


def _converted(service: Service, series: Path) -> FileResponse:
    folder = tempfile.TemporaryDirectory(prefix="medssl-", dir=service.settings.uploads)
    target = Path(folder.name) / f"{series.name or 'scan'}.nrrd"
    try:
        service.voxels.convert(series, target)
    except BaseException:
        folder.cleanup()
        raise
    response = _response(target, series)
    response.background = BackgroundTask(folder.cleanup)
    return response


def _root_of(service: Service, real: Path) -> Path:
    roots = (*service.roots.folders, service.settings.uploads)
    return next(root.resolve() for root in roots if real.is_relative_to(root.resolve()))
