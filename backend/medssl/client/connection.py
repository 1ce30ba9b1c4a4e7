"""One request and its answer: the token, timeouts, retries where they are safe, and errors for a person."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from medssl.client.sessions import new_session
from medssl.endpoint import API, API_HEADER

_ATTEMPTS = 3  # of requests that change nothing
_AGAIN_S = 0.3
_CONNECT_S = 5.0
_TRANSIENT = (502, 503, 504)

T = TypeVar("T")


class EngineError(Exception):
    """What went wrong: `message` and `remedy` for a person, `code` for a program.

    Codes of the client itself: 'unreachable', 'timeout', 'tls', 'version', 'start', 'roots', 'file'; all
    others come from the service, with the HTTP `status`.
    """

    def __init__(self, code: str, message: str, remedy: str = "", status: int | None = None) -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.code = code
        self.message = message
        self.remedy = remedy
        self.status = status


class _Token(AuthBase):
    """Puts the token into a request; as `auth`, so that no .netrc file replaces it."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        return request


class Connection:
    """The way to one service. Threads may share it.

    Args:
        url: such as 'https://gpu.example.org:8443'.
        token: gives the token of each request, so that a new one is taken up.
        verify: True for the certificates this computer trusts, or a PEM file with the one to trust. It
            cannot be switched off.
        timeout_s: how long an answer may take.
        direct: whether to pass by the proxies of the network, which would read the token on its way to this
            user's own service; the addresses of this computer alone are always reached so.
        fingerprint: see `new_session`.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        verify: bool | str,
        timeout_s: float,
        direct: bool = False,
        fingerprint: str = "",
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineError("unreachable", f"'{url}' is no address.", "Give one such as https://host:8443.")
        if verify is False:
            raise EngineError(
                "tls", "Certificates are always checked.", "Give the certificate to trust as a PEM file."
            )
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._auth = _Token(token)
        self._verify = verify
        # A proxy of the network knows nothing about this computer's own ports.
        self._direct = direct or parts.hostname in ("localhost", "127.0.0.1", "::1")
        self._fingerprint = fingerprint
        self._sessions = threading.local()  # requests does not promise that threads may share one

    def get(
        self,
        path: str,
        make: Callable[[Any], T],
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> T:
        """Ask for something; asks again when the network fails, because asking changes nothing.

        Args:
            path: on the service.
            make: makes of the answer what the caller wants; where it cannot, no engine has answered.
            query: what stands behind the path; what is None is left out.
            timeout_s: when it is not the usual one.
        """
        return self._made(self._asked(path, query, timeout_s), make)

    def text(self, path: str) -> str:
        """Ask for a text."""
        return self._send("GET", path, None).text

    def content(self, path: str, timeout_s: float) -> bytes:
        """Ask for a small file."""
        return self._send("GET", path, None, timeout_s=timeout_s).content

    def change(
        self,
        method: str,
        path: str,
        make: Callable[[Any], T],
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> T:
        """Change something; never asks again by itself, because the first time may have worked."""
        return self._made(self._send(method, path, query, json=body, timeout_s=timeout_s), make)

    def send_file(
        self, path: str, make: Callable[[Any], T], file: IO[bytes], query: Mapping[str, Any], timeout_s: float
    ) -> T:
        """Send a file as a body, piece by piece."""
        return self._made(self._send("POST", path, query, data=file, timeout_s=timeout_s), make)

    def stream(self, path: str, query: Mapping[str, Any] | None, timeout_s: float) -> requests.Response:
        """Ask for something that comes piece by piece; close the response when done."""
        return self._send("GET", path, query, timeout_s=timeout_s, stream=True)

    def _asked(
        self, path: str, query: Mapping[str, Any] | None, timeout_s: float | None
    ) -> requests.Response:
        attempt = 1
        while True:
            try:
                return self._send("GET", path, query, timeout_s=timeout_s)
            except EngineError as error:
                transient = error.code in ("unreachable", "timeout") or error.status in _TRANSIENT
                if not transient or attempt == _ATTEMPTS:
                    raise
            time.sleep(_AGAIN_S * attempt)
            attempt += 1

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        *,
        json: Mapping[str, Any] | None = None,
        data: IO[bytes] | None = None,
        timeout_s: float | None = None,
        stream: bool = False,
    ) -> requests.Response:
        try:
            response = self._session().request(
                method,
                self.url + path,
                params={key: value for key, value in (query or {}).items() if value is not None},
                json=json,
                data=data,
                auth=self._auth,
                headers={API_HEADER: str(API)},
                timeout=(_CONNECT_S, timeout_s or self.timeout_s),
                verify=self._verify,
                allow_redirects=False,  # nobody else gets the token
                stream=stream,
            )
        except requests.exceptions.SSLError as error:
            raise EngineError(
                "tls",
                f"The certificate of {self.url} is not trusted.",
                "Give the PEM file of the certificate to trust.",
            ) from error
        except requests.exceptions.Timeout as error:
            raise EngineError(
                "timeout", f"The engine at {self.url} did not answer in time.", "Try again."
            ) from error
        except (requests.exceptions.RequestException, OSError, ValueError) as error:
            raise EngineError(
                "unreachable", f"The engine at {self.url} does not answer.", "Check that it runs."
            ) from error
        if response.status_code >= 300:
            with response:
                raise self._error_of(response)
        return response

    def _made(self, response: requests.Response, make: Callable[[Any], T]) -> T:
        try:
            return make(response.json())
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._stranger() from error

    def _error_of(self, response: requests.Response) -> EngineError:
        status = response.status_code
        with suppress(ValueError, KeyError, TypeError, requests.exceptions.RequestException):
            found = response.json()
            return EngineError(str(found["code"]), str(found["message"]), str(found["remedy"]), status)
        return self._stranger(status)

    def _stranger(self, status: int | None = None) -> EngineError:
        what = f"What answers at {self.url} is not MedSSL."
        return EngineError("unreachable", what, "Give the address that 'medssl serve' names.", status)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = new_session(self._direct, self._fingerprint)
            self._sessions.session = session
        return session
