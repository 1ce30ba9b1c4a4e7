"""The web page at `/`: files of this package that need no token, because they hold nothing of anybody."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter
from fastapi.responses import Response

router = APIRouter(include_in_schema=False)

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "engine.js": "text/javascript; charset=utf-8",
    "curves.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_CONTENT = {name: resources.files("medssl.service").joinpath("web", name).read_bytes() for name in _TYPES}


def _add(address: str, name: str) -> None:
    @router.get(address)
    async def file() -> Response:
        return Response(_CONTENT[name], media_type=_TYPES[name])


_add("/", "index.html")
for _name in _TYPES:
    if _name != "index.html":
        _add(f"/{_name}", _name)
