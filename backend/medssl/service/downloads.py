"""Sending files: only such as may be sent, streamed, and never shown as a page of our own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from medssl.errors import NotFoundError
from medssl.imaging.formats import READABLE, suffix_of
from medssl.imaging.headers import FIND_AGAIN
from medssl.service.context import Service
from medssl.service.paths import PathError

Responses: TypeAlias = dict[int | str, dict[str, Any]]  # FastAPI's own type

_BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
FILE: Responses = {200: {"description": "The file, byte for byte.", **_BINARY}}
_ONE_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")
_SENT = (*READABLE, ".raw", ".dcm", ".csv", ".html", ".json", ".txt", ".png", ".safetensors", ".zip", ".onnx")


class _File(FileResponse):
    """A file of which one part may be asked for; where that makes no sense, all of it is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Starlette itself would answer a strange range with an error that is no `Problem`."""
        asked = _ONE_RANGE.fullmatch(Headers(scope=scope).get("range", ""))
        last = Path(self.path).stat().st_size - 1
        if asked is None or int(asked[1]) > min(last, int(asked[2] or last)):
            scope = {**scope, "headers": [each for each in scope["headers"] if each[0] != b"range"]}
        await super().__call__(scope, receive, send)


def volume_response(service: Service, path: Path) -> FileResponse:
    """Send a volume that the project names, wherever in the allowed folders it is."""
    real = service.roots.inside(path)
    if not real.exists():
        raise NotFoundError(f"There is no file {path}.", FIND_AGAIN)
    if real.is_dir():
        name = f"{real.name or 'scan'}.nrrd"
        return converted_response(service, name, lambda target: service.voxels.convert(real, target))
    if suffix_of(real) is None:  # a DICOM file may have any name, but then it is no single volume
        raise PathError(f"{path} is not a volume in one file.", "Copy it into the project as one.")
    return _response(real, path)


def file_response(service: Service, path: Path) -> FileResponse:
    """Send a result; other files, and hidden ones, are nobody's business."""
    real = service.roots.inside(path)
    hidden = any(part.startswith(".") for part in service.roots.below(real).parts)
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
    return _File(real, media_type="application/octet-stream", filename=name, headers=headers)


def converted_response(service: Service, name: str, convert: Callable[[Path], None]) -> FileResponse:
    """Send what `convert` writes into the path that it is given, and keep nothing of it.

    Args:
        service: the service.
        name: of the file that is sent.
        convert: writes it.
    """
    folder = tempfile.TemporaryDirectory(prefix="medssl-", dir=service.uploads.folder)
    target = Path(folder.name) / name
    try:
        convert(target)
    except BaseException:
        folder.cleanup()
        raise
    response = _response(target, target)
    response.background = BackgroundTask(folder.cleanup)
    return response
