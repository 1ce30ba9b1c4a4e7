"""`medssl serve`: the engine as a service, for 3D Slicer, other programs and a browser."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medssl.cli.options import JsonOption, examples
from medssl.cli.session import answer
from medssl.endpoint import STARTED_BY_CLIENT, Endpoint, read_endpoint, read_token

if TYPE_CHECKING:
    from medssl.service import ServiceSettings

_WAIT_S = 20.0  # for a service that another start is just starting


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
    from medssl.service import ServiceSettings, serve
    from medssl.service.server import RunningError
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
        serve(settings, lambda endpoint: _announce(endpoint, settings, "listens", as_json))
    except RunningError:
        running = _running(settings.state_folder)
        if running is None:
            raise
        _announce(running, settings, "runs already", as_json)
    except KeyboardInterrupt:
        return 0
    return 0


def _announce(endpoint: Endpoint, settings: ServiceSettings, how: str, as_json: bool) -> None:
    if not settings.is_local and settings.tls_certificate is None:
        sys.stderr.write(
            "Warning: scans and the token travel unencrypted. Use --tls-cert, or listen on this computer "
            "only and connect through SSH.\n"
        )
    folder = settings.state_folder
    # The token goes to a person's terminal only; elsewhere it would end up in a log.
    secret = f"/#token={read_token(folder)}" if sys.stdout.isatty() else ""
    lines = [f"The engine {how} at {endpoint.url}{secret}", f"Token file: {folder / 'token'}"]
    content = {"url": endpoint.url, "process_id": endpoint.process_id, "state_folder": str(folder)}
    answer("\n".join(lines), content, as_json)
    sys.stdout.flush()


def _running(folder: Path) -> Endpoint | None:
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        found = read_endpoint(folder)
        if found is not None:
            return found
        time.sleep(0.1)
    return None
