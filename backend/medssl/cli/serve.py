"""`medssl serve`: the engine as a service, for 3D Slicer, other programs and a browser."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from medssl.cli.options import JsonOption, examples
from medssl.cli.session import answer
from medssl.cli.streams import tell
from medssl.endpoint import STARTED_BY_CLIENT, Endpoint, read_endpoint, read_token

if TYPE_CHECKING:
    from medssl.service import ServiceSettings

_WAIT_S = 30.0  # for a service that another start is just starting, or that is ending
_STARTING_S = 5.0  # until one that is starting has replaced the file of another computer's
_LOOK_S = 0.2
_CONNECT_S = 3.0
# What an engine that runs keeps as it was; another folder of its own is another engine.
_KEPT = ("host", "port", "root", "tls_cert", "tls_key", "idle_minutes", "max_upload_gb")


EXAMPLES = examples(
    "medssl serve",
    "medssl serve --host 0.0.0.0 --root /data --tls-cert cert.pem --tls-key key.pem",
)


RootOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="A folder in which requests may name paths; may be given several times.",
        show_default="the home folder, or its folder MedSSL for other computers",
    ),
]
IdleOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="N",
        help="End after so long without a job and a client; 0 means never.",
        show_default="30, or never for other computers",
    ),
]
StateFolderOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where lock, token and log are.", show_default="the user's own"),
]


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets other computers connect.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="Port to listen on; 0 takes a free one.")] = 0,
    root: RootOption = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM file of a certificate; then it speaks HTTPS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM file of its key.")] = None,
    idle_minutes: IdleOption = None,
    max_upload_gb: Annotated[
        float, typer.Option(min=0.001, metavar="N", help="Largest file that is taken.")
    ] = 16.0,
    state_folder: StateFolderOption = None,
    new_token: Annotated[bool, typer.Option("--new-token", help="Make the old token worthless.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Run the engine as a service; a second start finds the first."""
    from medssl.endpoint import state_folder as default_folder
    from medssl.service import ServiceSettings
    from medssl.service.settings import IDLE_S, is_loopback
    from medssl.service.token import TokenFile

    default_idle = IDLE_S if is_loopback(host) else None
    settings = ServiceSettings(
        roots=tuple(root or ()),
        host=host,
        port=port,
        tls_certificate=tls_cert,
        tls_key=tls_key,
        idle_s=default_idle if idle_minutes is None else idle_minutes * 60 or None,
        max_upload_bytes=round(max_upload_gb * 1e9),
        state_folder=(state_folder or default_folder()).absolute(),
        # Taken out: what the service starts is not started by the client.
        by_client=bool(os.environ.pop(STARTED_BY_CLIENT, "")),
    )
    if new_token:
        TokenFile(settings.state_folder).renew()
    try:
        _serve_or_find(settings, _given(context), as_json)
    except KeyboardInterrupt:
        return 0
    return 0


def _given(context: typer.Context) -> list[str]:
    """The options for the service itself that a person gave, as they are written."""
    sources = {name: context.get_parameter_source(name) for name in _KEPT}
    return [
        f"--{name.replace('_', '-')}"
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    ]


def _serve_or_find(settings: ServiceSettings, given: Sequence[str], as_json: bool) -> None:
    """Run the service, or say where this user's runs and that it has not the options that were given.

    The place of one that is ending is waited for.
    """
    from medssl.service import serve
    from medssl.service.server import RunningError

    begun = time.monotonic()
    while True:
        try:
            serve(settings, lambda endpoint: _listening(endpoint, settings, as_json))
            return
        except RunningError as error:
            running = read_endpoint(settings.state_folder)
            if running is not None and _listens(running):
                _announce(running, settings, "runs already", as_json)
                if given:
                    tell(_not_applied(running, given))
                return
            elsewhere = running is not None and running.is_elsewhere
            if time.monotonic() - begun >= (_STARTING_S if elsewhere else _WAIT_S):
                raise RunningError(*_kept_by(running, settings.state_folder)) from error
        time.sleep(_LOOK_S)


def _kept_by(running: Endpoint | None, folder: Path) -> tuple[str, str]:
    """What keeps the folder of an engine that is not reached, and what to do."""
    if running is not None and running.is_elsewhere:
        return (
            f"Your engine runs on the computer {running.host}, which keeps it in the same folder, {folder}.",
            "End it there, or give the one here another place: with --state-folder, or XDG_STATE_HOME on "
            "Linux.",
        )
    return (
        f"An engine that does not answer keeps {folder}: it is still ending, or it hangs.",
        "Try again in a minute, or end that 'medssl serve' first.",
    )


def _listening(endpoint: Endpoint, settings: ServiceSettings, as_json: bool) -> None:
    if not settings.is_local and settings.tls_certificate is None:
        tell(
            "Warning: scans and the token travel unencrypted. Use --tls-cert, or listen on this computer "
            "only and connect through SSH."
        )
    _announce(endpoint, settings, "listens", as_json)


def _not_applied(running: Endpoint, given: Sequence[str]) -> str:
    options = f"{given[0]} was" if len(given) == 1 else f"{', '.join(given[:-1])} and {given[-1]} were"
    return (
        f"{options} not applied: the engine at {running.url} keeps the options that it was started with. "
        "To start it with other ones, end it first: with Ctrl+C where 'medssl serve' runs, or with 'Stop' in "
        f"3D Slicer. It is the process {running.process_id}."
    )


def _announce(endpoint: Endpoint, settings: ServiceSettings, how: str, as_json: bool) -> None:
    folder = settings.state_folder
    # The token goes to a person's terminal only; elsewhere it would end up in a log.
    secret = f"/#token={read_token(folder)}" if sys.stdout.isatty() else ""
    lines = [f"The engine {how} at {endpoint.url}{secret}", f"Token file: {folder / 'token'}"]
    content = {"url": endpoint.url, "process_id": endpoint.process_id, "state_folder": str(folder)}
    answer("\n".join(lines), content, as_json)


def _listens(endpoint: Endpoint) -> bool:
    """Whether a service takes connections where it said; one that is ending does not, and has its lock still.

    Its certificate does not matter here, which may be for the names by which other computers know it.
    """
    try:
        place = urlsplit(endpoint.local_url)
        with socket.create_connection((place.hostname, place.port), timeout=_CONNECT_S):
            return True
    except (OSError, ValueError):
        return False
