"""The engine of this computer: finding the one that runs, or starting one that outlives its starter."""

from __future__ import annotations

import hmac
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from medssl.client.client import Client
from medssl.client.connection import EngineError
from medssl.client.sessions import new_session
from medssl.endpoint import (
    API,
    LOG_FILE,
    STARTED_BY_CLIENT,
    Endpoint,
    proof,
    read_endpoint,
    read_token,
    state_folder,
)

_LOOK_S = 0.1
_HEALTH_S = 3.0
_END_S = 30.0
_LARGEST_LOG_BYTES = 5 << 20
_START = "import sys; from medssl.cli import main; sys.argv[0] = 'medssl'; main()"
# What an embedding program, such as 3D Slicer, sets for its own Python only.
_FOREIGN = ("PYTHONHOME", "PYTHONNOUSERSITE")
# What leads another Python astray as well.
_FOREIGN_TO_OTHERS = (
    *_FOREIGN,
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "PYTHONUSERBASE",
    "__PYVENV_LAUNCHER__",
)


@dataclass(frozen=True)
class EngineState:
    """What is known of this user's engine without talking to it for long.

    Attributes:
        running: whether it answers.
        url: where it is, or was last, for a person; empty when it never ran.
        local_url: the same for programs of this computer.
        version: of its MedSSL.
        process_id: of its process; 0 when it never ran.
        fits: whether this client can talk to it.
        log: the file in which it tells what goes wrong.
    """

    running: bool
    url: str
    local_url: str
    version: str
    process_id: int
    fits: bool
    log: Path


def engine_state(folder: Path | None = None) -> EngineState:
    """Look at the file that the engine leaves, and whether it answers; raises nothing and starts nothing.

    Args:
        folder: where the service keeps its state, when that is not the usual place.
    """
    folder = folder or state_folder()
    found = read_endpoint(folder)
    if found is None:
        return EngineState(False, "", "", "", 0, True, folder / LOG_FILE)
    running, fits = _answers(found, folder), found.api == API
    return EngineState(
        running, found.url, found.local_url, found.version, found.process_id, fits, folder / LOG_FILE
    )


def attach(folder: Path | None = None, *, timeout_s: float = 30.0) -> Client | None:
    """Return a client of this user's running engine; None when there is none.

    Args:
        folder: where the service keeps its state, when that is not the usual place.
        timeout_s: see `Client`.

    Raises:
        EngineError: one runs whose version does not fit.
    """
    folder = folder or state_folder()
    found = read_endpoint(folder)
    if found is None or not _answers(found, folder):
        return None
    if found.api != API:
        raise EngineError(
            "version",
            f"The engine that runs is MedSSL {found.version}; its API {found.api} does not fit {API} here.",
            "End it with 'medssl serve' of its own version, or update both to the same release.",
        )
    verify = found.certificate or True
    # As it was asked for its proof: a proxy in between would be sent the token, and proves nothing.
    return Client(
        found.local_url,
        lambda: read_token(folder),
        verify=verify,
        timeout_s=timeout_s,
        direct=True,
        fingerprint=found.fingerprint,
    )


def start_or_attach(
    python: str | Path | None = None,
    *,
    roots: Sequence[str | Path] = (),
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    timeout_s: float = 30.0,
    start_s: float = 60.0,
) -> Client:
    """Return a client of this user's engine, which is started when none runs.

    Args:
        python: the Python of the engine's environment; this one when left out.
        roots: folders that the engine must be allowed to touch, beside its usual ones. An idle engine
            without them that a client started is started anew; one that a person started, with a host, a
            port or a certificate perhaps, is left alone.
        folder: where the service keeps its state, when that is not the usual place.
        environment: of the new process. When left out, this process's own without what an embedding program
            sets for its own Python; with another `python`, without anything that is meant for this one. In
            3D Slicer, give `slicer.util.startupEnvironment()`, which is also free of its library paths.
        arguments: more options of `medssl serve`.
        timeout_s: see `Client`.
        start_s: how long the start may take.

    Raises:
        EngineError: it does not start, or one runs that does not fit; with the code 'roots', one that may
            not touch the folders and cannot be started anew.
    """
    folder = folder or state_folder()
    client = attach(folder, timeout_s=timeout_s)
    wanted = [Path(root).absolute() for root in roots]
    if client is not None:
        allowed = [Path(root) for root in client.service().roots]
        if all(_is_allowed(root, allowed) for root in wanted):
            return client
        _make_room(client, folder, [root for root in wanted if not _is_allowed(root, allowed)])
        wanted = [*allowed, *(root for root in wanted if root not in allowed)]
    elif wanted:
        wanted = [Path.home(), *wanted]
    options = [part for root in wanted for part in ("--root", str(root))]
    command = [str(python or sys.executable), "-c", _START, "serve", *options, *arguments]
    if environment is None:
        foreign = _FOREIGN if python is None else _FOREIGN_TO_OTHERS
        environment = {name: value for name, value in os.environ.items() if name not in foreign}
    environment = {**environment, STARTED_BY_CLIENT: "1"}
    return _started([*command, "--state-folder", str(folder)], folder, environment, timeout_s, start_s)


def end_idle(folder: Path | None = None) -> None:
    """End this user's engine and wait until it is gone; nothing happens when none runs.

    Args:
        folder: where the service keeps its state, when that is not the usual place.

    Raises:
        EngineError: it works (the code is 'usage'), or its version does not fit.
    """
    folder = folder or state_folder()
    client = attach(folder)
    if client is not None:
        client.shutdown()
        _wait_until_gone(folder)


def _answers(endpoint: Endpoint, folder: Path) -> bool:
    """Whether the very service that wrote the file is still there; its port may be another program's now.

    It must prove that it knows the token before it is sent the token: that other program may be somebody's
    who waited for the port.
    """
    challenge = secrets.token_hex(16)
    try:
        expected = proof(read_token(folder), challenge, endpoint.instance, urlsplit(endpoint.local_url).port)
        with new_session(True, endpoint.fingerprint) as session:
            answer = session.get(
                f"{endpoint.local_url}/v1/health",
                params={"challenge": challenge},
                timeout=_HEALTH_S,
                allow_redirects=False,
                verify=endpoint.certificate or True,
            )
            return answer.ok and hmac.compare_digest(str(answer.json()["proof"]), expected)
    except (requests.exceptions.RequestException, OSError, ValueError, TypeError, KeyError):
        return False


def _make_room(client: Client, folder: Path, missing: Sequence[Path]) -> None:
    """End an idle service that a client started, to start it with more folders."""
    refused = f"The engine that runs may not touch {', '.join(map(str, missing))}"
    found = read_endpoint(folder)
    if found is not None and not found.replaceable:
        options = " ".join(f'--root "{root}"' for root in missing)
        raise EngineError(
            "roots",
            f"{refused}, and 'medssl serve' was started by hand or for other computers.",
            f"End that one and start it with {options} too, or choose a folder it may touch.",
        )
    try:
        client.shutdown()
    except EngineError as error:
        raise EngineError(
            "roots",
            f"{refused}, and it is working.",
            "Wait for its job to end, or choose a folder it may touch.",
        ) from error
    _wait_until_gone(folder)


def _wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + _END_S
    while read_endpoint(folder) is not None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float, start_s: float
) -> Client:
    """Start an engine and wait until one answers."""
    process = _start(command, folder, environment)
    runs: Endpoint | None = None
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline:
        ended = process.poll()
        client = attach(folder, timeout_s=timeout_s)
        if client is not None:
            return client
        if ended == 0:  # it found another engine, which was just ending: it would answer by now
            found = read_endpoint(folder)
            if found is not None and found == runs:
                raise _unreachable(found)
            runs = found
            process = _start(command, folder, environment)
        elif ended is not None:
            raise EngineError("start", f"The engine did not start: {_last_line(folder / LOG_FILE)}")
        time.sleep(_LOOK_S)
    raise EngineError(
        "start", "The engine does not answer after its start.", f"See its log, {folder / LOG_FILE}."
    )


def _unreachable(found: Endpoint) -> EngineError:
    return EngineError(
        "start",
        f"Your engine runs at {found.local_url}, but does not answer this program there.",
        f"Try again; if that does not help, end it, which is the process {found.process_id}.",
    )


def _start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that does not end with this one."""
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        detached = {"creationflags": flags}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = folder / LOG_FILE
        large = log.exists() and log.stat().st_size > _LARGEST_LOG_BYTES
        with log.open("wb" if large else "ab") as output:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=str(folder),
                **detached,
            )
    except OSError as error:
        raise EngineError(
            "start", f"The engine cannot be started: {error}.", "Install it again, or choose another Python."
        ) from error


def _is_allowed(path: Path, folders: Sequence[Path]) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return f"see {log}."
    return next((line for line in reversed(lines) if line.strip()), f"see {log}.")
