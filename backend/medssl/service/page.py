"""The web page at `/`: files of this package that need no token, because they hold nothing of anybody."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

router = APIRouter(include_in_schema=False)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def _add(address: str, content: bytes, media_type: str) -> None:
    @router.get(address)
    async def file() -> Response:
        return Response(content, media_type=media_type)


for _file in resources.files("medssl.service").joinpath("web").iterdir():
    _suffix = Path(_file.name).suffix
    _add("/" if _suffix == ".html" else f"/{_file.name}", _file.read_bytes(), _TYPES[_suffix])
