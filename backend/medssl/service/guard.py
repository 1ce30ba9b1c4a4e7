"""What every request passes first: is it for this service, from somebody with the token, of a fit size?"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medssl.endpoint import API, API_HEADER
from medssl.service.activity import Activity
from medssl.service.problems import Problem, problem_for_status
from medssl.service.settings import is_loopback
from medssl.service.token import TokenFile

MOST_BODY_BYTES = 1 << 20
UPLOADS = "/v1/uploads"
_PREFIX = "/v1/"
_PUBLIC = ("/v1/health",)
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class FailedTokens:
    """How often an address sent a wrong token lately.

    A right token is always accepted: programs on one computer share an address, and none of them may lock
    the user out. A token has 256 bits, so that the limit spares the log and the processor, not the secret.
    """

    def __init__(self, most: int = 10, window_s: float = 60.0, addresses: int = 1000) -> None:
        """Allow `most` failures in `window_s` seconds; remember so many addresses at most."""
        self._most, self._window_s, self._addresses = most, window_s, addresses
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}

    def too_many(self, address: str) -> bool:
        """Count one failure, and say whether there were too many."""
        now = time.monotonic()
        with self._lock:
            times = self._failures.pop(address, deque(maxlen=self._most + 1))
            times.append(now)
            while times[0] < now - self._window_s:
                times.popleft()
            self._failures[address] = times
            while len(self._failures) > self._addresses:
                self._failures.pop(next(iter(self._failures)))
            return len(times) > self._most


class Guard:
    """Middleware around the whole app."""

    def __init__(self, app: ASGIApp, *, token: TokenFile, activity: Activity, local: bool) -> None:
        """Guard `app`; `local` when only this computer can connect."""
        self._app = app
        self._token = token
        self._activity = activity
        self._local = local
        self._failed = FailedTokens()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand the request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            return
        send = _with_headers(send, scope["path"])
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif _is_public(scope["path"]):
            await self._app(scope, receive, send)
        else:
            with self._activity.request():
                await self._app(scope, _limited(scope, receive), send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if self._local and not _is_for_this_computer(headers.get("host", "")):
            return _refuse(421, Problem(code="host", message="This service answers to this computer only."))
        if _is_public(scope["path"]):
            return None
        scheme, _, offered = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._token.accepts(offered.strip().encode("utf-8")):
            address = scope["client"][0] if scope.get("client") else ""
            if self._failed.too_many(address):
                return _refuse(429, problem_for_status(429), {"Retry-After": "60"})
            return _refuse(401, problem_for_status(401), {"WWW-Authenticate": "Bearer"})
        api = headers.get(API_HEADER)
        if api is not None and api != str(API):
            return _refuse(
                426,
                Problem(
                    code="version",
                    message=f"The client speaks version {api[:20]} of the API, this engine {API}.",
                    remedy="Update MedSSL on both sides to the same release.",
                ),
            )
        return None


def _is_public(path: str) -> bool:
    """Whether a path tells nothing about anybody: the page without its data, and that MedSSL is here."""
    return not path.startswith(_PREFIX) or path in _PUBLIC


def _is_for_this_computer(host: str) -> bool:
    """Whether a request was sent to one of our names; one of a web page that rebinds its own name was not."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _limited(scope: Scope, receive: Receive) -> Receive:
    """Give a `receive` that ends a body which is too large, whether or not the client tells its length."""
    if scope["path"] == UPLOADS:  # counts for itself, up to its own limit
        return receive
    length = Headers(scope=scope).get("content-length", "0")
    left = MOST_BODY_BYTES if length.isdecimal() and int(length[:20]) <= MOST_BODY_BYTES else -1

    async def counted() -> Message:
        nonlocal left
        if left < 0:
            raise HTTPException(413)
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413)
        return message

    return counted


def _with_headers(send: Send, path: str) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers.setdefault("Cache-Control", "no-store" if path.startswith(_PREFIX) else "no-cache")
        await send(message)

    return sending


def _refuse(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(mode="json"), status_code=status, headers=headers)
