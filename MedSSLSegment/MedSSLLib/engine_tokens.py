"""The tokens of engines on other computers: in a file of this user alone, not in the settings of Slicer."""

from __future__ import annotations

import json
import os
from pathlib import Path

from MedSSLLib import backend

_FILE = "remote-tokens.json"


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
