"""Where this user's engine service is found: what the service leaves on the disk and every client reads.

Standard library only, and Python 3.9, because 3D Slicer's Python imports it too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from medssl.host import computer_id

API = 1
"""Number of the HTTP interface; a client and a service fit when theirs are the same."""

API_HEADER = "MedSSL-API"
ENDPOINT_FILE = "service.json"
TOKEN_FILE = "token"
LOCK_FILE = "service.lock"
LOG_FILE = "service.log"
STARTED_BY_CLIENT = "MEDSSL_STARTED_BY_CLIENT"
"""The variable that a client sets for a service that it starts; an older service does not know it."""


@dataclass(frozen=True)
class Endpoint:
    """A service as it describes itself in `service.json`.

    Attributes:
        url: where it answers, such as 'http://127.0.0.1:40123'; for other computers, where it has any.
        instance: new at every start, so that another program on the same port is not taken for it.
        process_id: its process.
        version: of MedSSL.
        api: see `API`.
        roots: the folders that it may touch.
        certificate: PEM file of its TLS certificate; empty without TLS.
        replaceable: whether a client started it, for this computer alone, so that a client may end it while
            it is idle and start it anew; one that a person started has options that would be lost. False in
            files of before.
        loopback: where it answers on its own computer, when `url` has the name by which others know that:
            it need not know the name itself. Empty otherwise, and in files of before.
        fingerprint: SHA-256 of its TLS certificate, which may be for any name and be replaced on the disk
            while the service has the old one. Empty without TLS, and in files of before.
        computer: the one it runs on, see `computer_id`; several may share a home folder. Empty in files of
            before.
        host: that computer's name, for a person.
    """

    url: str
    instance: str
    process_id: int
    version: str
    api: int
    roots: tuple[str, ...]
    certificate: str
    replaceable: bool = False
    loopback: str = ""
    fingerprint: str = ""
    computer: str = ""
    host: str = ""

    @property
    def local_url(self) -> str:
        """Where programs of this computer find it."""
        return self.url if self.is_elsewhere else self.loopback or self.url

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs on another computer, as far as it says so."""
        return self.computer not in ("", computer_id())


def state_folder() -> Path:
    """Return the folder in which this user's service keeps its lock, token, log and uploads."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "medssl" / "service"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "medssl" / "service"
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "medssl" / "service"


def read_endpoint(folder: Path) -> Endpoint | None:
    """Read what this user's last service left, which may have been killed since; None when there is none."""
    try:
        found = json.loads((folder / ENDPOINT_FILE).read_text(encoding="utf-8"))
        return Endpoint(
            url=str(found["url"]),
            instance=str(found["instance"]),
            process_id=int(found["process_id"]),
            version=str(found["version"]),
            api=int(found["api"]),
            roots=tuple(str(root) for root in found["roots"]),
            certificate=str(found["certificate"]),
            replaceable=found.get("replaceable") is True,
            loopback=str(found.get("loopback", "")),
            fingerprint=str(found.get("fingerprint", "")),
            computer=str(found.get("computer", "")),
            host=str(found.get("host", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def proof(token: str, challenge: str, instance: str, port: int | None) -> str:
    """Return what only a service with the token can answer to a challenge; it does not tell the token.

    A program of another user that took over the port of a service cannot make it, nor can it ask the service
    for it, which has another port now.
    """
    text = f"medssl {instance} {port} {challenge}"
    return hmac.new(token.encode("ascii"), text.encode("utf-8"), hashlib.sha256).hexdigest()


def endpoint_text(endpoint: Endpoint) -> str:
    """Return an endpoint as the text of `service.json`."""
    return json.dumps(asdict(endpoint), indent=2) + "\n"


def read_token(folder: Path) -> str:
    """Read the token that requests carry; empty when there is none yet or it may not be read."""
    try:
        return (folder / TOKEN_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
