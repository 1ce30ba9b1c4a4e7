"""The tokens of engines on other computers: in a file of this user alone, not in the settings of Slicer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from slicer.i18n import tr as _

from MedSSLLib import backend
from MedSSLLib.problems import Problem

_FILE = "remote-tokens.json"
_IN_ADDRESS = "token="  # begins the part behind the '#' of an address that `medssl serve` prints


def split_address(text: str) -> tuple[str, str]:
    """Part the address of an engine from the token in it; '' for one without.

    Of the address stays what leads to the engine: no name, no password and no question is kept.

    Raises:
        Problem: it is no address of an engine.
    """
    plain = text.strip().partition("#")[0]  # the rest may be a secret
    refusal = Problem(
        _("'{address}' is no address.").format(address=plain), _("Give one such as https://gpu-server:8443.")
    )
    try:
        parts = urlsplit(text.strip())
        leads_there = bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # a port that is no number, or brackets around nothing
        raise refusal from error
    if parts.scheme not in ("http", "https") or not leads_there:
        raise refusal
    host = parts.netloc.rpartition("@")[2]
    token = parts.fragment[len(_IN_ADDRESS) :] if parts.fragment.startswith(_IN_ADDRESS) else ""
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/"), token


def token_of(address: str) -> str:
    """The token for an address; '' when none was kept."""
    return _read().get(address, "")


def keep_token(address: str, token: str) -> None:
    """Keep the token for an address; an empty one is forgotten."""
    tokens = {**_read(), address: token}
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({name: value for name, value in tokens.items() if value}, file)
    temporary.replace(path)


def _read() -> dict[str, str]:
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _path() -> Path:
    backend.client_package()
    from medssl.endpoint import state_folder

    return state_folder() / _FILE
