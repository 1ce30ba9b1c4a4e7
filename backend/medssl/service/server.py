"""Running the service: one for each user, on a port of its own, until nobody needs it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import ssl
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from filelock import FileLock, Timeout

from medssl import __version__
from medssl.endpoint import API, ENDPOINT_FILE, LOCK_FILE, Endpoint, endpoint_text, state_folder
from medssl.errors import MedSSLError, UsageError
from medssl.host import computer_id
from medssl.service.settings import LOOPBACK, ServiceSettings
from medssl.storage import storage_error, write_text

if TYPE_CHECKING:
    from medssl.service.context import Service

_LOOK_S = 0.5
_MOST_FILES = 8192
_GRACE_S = 5  # for answers that are on their way when the service ends
logger = logging.getLogger("medssl.service")


class RunningError(MedSSLError):
    """This user's service runs already."""

    code = "running"


def serve(settings: ServiceSettings, ready: Callable[[Endpoint], None]) -> None:
    """Run the service until it is told to end, or until it was idle for long enough.

    Args:
        settings: how.
        ready: called with where it is, as soon as it answers.

    Raises:
        RunningError: another one of this user has the lock, which does not outlive its process.
        UsageError: the port is taken, the address is not this computer's, or others may write in its folder.
        StorageError: its folder may not be written.
    """
    _make_folders(settings)
    lock = FileLock(settings.state_folder / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunningError("This user's engine runs already.", "Use that one, or end it first.") from error
    try:
        with _bound(settings) as bound:
            _run(settings, bound, ready)
    finally:
        lock.release()


def _run(settings: ServiceSettings, bound: socket.socket, ready: Callable[[Endpoint], None]) -> None:
    # Only now: a start that finds another service, or no port, has its answer at once.
    from medssl.service.app import create_app
    from medssl.service.protocol import PatientProtocol

    _allow_many_connections()
    app = create_app(settings)
    service: Service = app.state.service
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=30,
        http=PatientProtocol,
        ws="none",
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
        fingerprint = _fingerprint(settings.tls_certificate)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UsageError(
            f"The TLS certificate {settings.tls_certificate} cannot be used.",
            "Give a PEM file, and its key with --tls-key.",
        ) from error
    url, loopback = _urls(settings, bound)
    endpoint = Endpoint(
        url=url,
        instance=service.instance,
        process_id=os.getpid(),
        version=__version__,
        api=API,
        roots=tuple(str(folder) for folder in service.roots.folders),
        certificate="" if settings.tls_certificate is None else str(settings.tls_certificate.absolute()),
        replaceable=settings.by_client and settings.is_local and settings.tls_certificate is None,
        loopback=loopback,
        fingerprint=fingerprint,
        computer=computer_id(),
        host=socket.gethostname(),
    )
    # What is started from here looks for Python's modules in this folder first; nobody else writes in it.
    os.chdir(settings.state_folder)
    file = settings.state_folder / ENDPOINT_FILE

    def tell() -> None:
        write_text(file, endpoint_text(endpoint))
        ready(endpoint)

    def leave() -> None:
        with suppress(OSError):  # the next one replaces it
            file.unlink(missing_ok=True)

    _Server(config, service, tell, leave).run(sockets=[bound])


class _Server(uvicorn.Server):
    """uvicorn's server, which also says when it answers, and ends when nobody needs it."""

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        tell: Callable[[], None],
        leave: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._service = service
        self._tell = tell
        self._leave = leave
        self._idle_watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell where."""
        await super().startup(sockets)
        if self.started:
            self._tell()
            self._idle_watch = asyncio.create_task(self._watch())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: they would keep the server waiting."""
        self._service.stopping = True
        await super().shutdown(sockets)
        self._leave()

    async def _watch(self) -> None:
        idle_s = self._service.settings.idle_s
        while not self.should_exit:
            await asyncio.sleep(_LOOK_S)
            nobody = idle_s is not None and self._service.activity.idle_s > idle_s
            if self._service.stopping or (nobody and self._service.engine.idle):
                self.should_exit = True


def _bound(settings: ServiceSettings) -> socket.socket:
    """Take the port before anything else is done, so that a taken one costs nothing."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
    except OSError as error:
        raise UsageError(
            f"There is no address {settings.host}.", "Give an address of this computer."
        ) from error
    bound = socket.socket(family, kind, number)
    try:
        if sys.platform == "win32":  # otherwise another program could share the port and get our requests
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # a port that a killed service left in its last minute
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise UsageError(
            f"The service cannot listen on {settings.host}, port {settings.port}: {error.strerror}.",
            "Choose another port, or leave it out for a free one.",
        ) from error
    return bound


def _allow_many_connections() -> None:
    """Take as many open files as the system gives: 1024, its first offer, is soon used up by strangers."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _urls(settings: ServiceSettings, bound: socket.socket) -> tuple[str, str]:
    """Where the service answers, and where it does on this computer, '' when that is the same."""

    def url(host: str) -> str:
        scheme = "http" if settings.tls_certificate is None else "https"
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{bound.getsockname()[1]}"

    if settings.host not in ("", "0.0.0.0", "::"):
        return url(settings.host), ""
    return url(socket.gethostname()), url("::1" if bound.family == socket.AF_INET6 else LOOPBACK)


def _fingerprint(certificate: Path | None) -> str:
    """The SHA-256 of the certificate that the service shows, the first in its file; '' without TLS."""
    if certificate is None:
        return ""
    text = certificate.read_text(encoding="utf-8", errors="replace")
    begin, end = text.index(ssl.PEM_HEADER), text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[begin:end])).hexdigest()


def _make_folders(settings: ServiceSettings) -> None:
    """Make the service's folders for this user alone; a folder that a person chose keeps its mode.

    Others may look into such a folder, where the token and the uploads have modes of their own, but they may
    not write: what is started in it would run their programs.
    """
    folder = settings.state_folder
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix" and folder == state_folder().absolute():
            folder.chmod(0o700)  # the usual one, which the panel may have made
        if os.name == "posix" and folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UsageError(
                f"Others may write in the folder {folder}, in which the service keeps its token.",
                f"Choose a folder of your own, or take that right away: chmod go-w '{folder}'.",
            )
        settings.uploads.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise storage_error(error, folder) from error
