"""Sending and receiving files, piece by piece, and never taking half of one for a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from medssl.client.answers import service_of, upload_of
from medssl.client.connection import Connection, EngineError
from medssl.client.records import Upload

SLOW_S = 600.0  # for what reads voxels, which can be many, or loads torch
_PIECE_BYTES = 1 << 20


def send(connection: Connection, path: Path, folder: str | None = None, place: str | None = None) -> Upload:
    """Upload a volume; see `Client.upload`."""
    try:
        with path.open("rb") as content:
            query = {"name": place or path.name, "sha256": sha256_of(path), "folder": folder}
            return connection.send_file("/v1/uploads", upload_of, content, query, SLOW_S)
    except OSError as error:
        raise EngineError("file", f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except EngineError as error:
        # An engine that refuses early hangs up while the file is still being sent.
        if error.code != "unreachable" or path.stat().st_size <= _most_bytes(connection):
            raise
        raise EngineError(
            "too_large", f"{path} is larger than the engine takes.", "Use a folder both can reach.", 413
        ) from error


def receive(connection: Connection, address: str, query: Mapping[str, Any] | None, target: Path) -> Path:
    """Write an answer into a file, which has its name only when it is whole."""
    partial = target.with_name(f".partial-{target.name}")
    try:
        with connection.stream(address, query, SLOW_S) as response, partial.open("wb") as file:
            for piece in response.iter_content(_PIECE_BYTES):
                file.write(piece)
            size, promised = file.tell(), response.headers.get("Content-Length")
        if promised is not None and size != int(promised):
            raise _cut(target)
        partial.replace(target)
    except requests.exceptions.RequestException as error:
        raise _cut(target) from error
    except OSError as error:
        raise EngineError(
            "file", f"{target} cannot be written: {error.strerror}.", "Choose another folder."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _cut(target: Path) -> EngineError:
    return EngineError("unreachable", f"{target.name} did not arrive whole.", "Try again.")


def _most_bytes(connection: Connection) -> int:
    return connection.get("/v1/service", service_of).max_upload_bytes


def name_there(path: Path, otherwise: str) -> str:
    """What a file or folder is called on an engine's computer, which hands nothing over that is hidden.

    Args:
        path: of this computer.
        otherwise: for one whose name has nothing but dots.
    """
    return path.name.lstrip(".") or otherwise


def sha256_of(path: Path) -> str:
    """Digest what a file holds."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(_PIECE_BYTES), b""):
            digest.update(piece)
    return digest.hexdigest()
