"""The secret that every request carries: a file that only its user can read."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

from medssl.endpoint import TOKEN_FILE, proof, read_token
from medssl.errors import StorageError
from medssl.storage import replace_file, storage_error


class TokenFile:
    """The token on the disk. Replacing the file changes the token of a running service at once."""

    def __init__(self, folder: Path) -> None:
        """Take the token in the folder, or make one where there is none or others could have read it.

        Raises:
            StorageError: the folder may not be written.
        """
        self.path = folder / TOKEN_FILE
        self._seen: tuple[int, int, int] | None = None
        self._token = b""
        if not read_token(folder) or _others_may_read(self.path):
            self.renew()

    def renew(self) -> None:
        """Make a new token; the old one is worth nothing from now on."""
        temporary = self.path.with_name(f".{TOKEN_FILE}-{secrets.token_hex(4)}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Private from its first byte on: a mode set afterwards would come too late.
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                if sys.platform == "win32":
                    _only_this_user(temporary)
                file.write(secrets.token_urlsafe(32) + "\n")
            replace_file(temporary, self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise storage_error(error, self.path) from error

    def accepts(self, offered: bytes) -> bool:
        """Whether a request's token is the right one; takes equally long whatever is wrong about it."""
        current = self._current()
        return bool(current) and hmac.compare_digest(current, offered)

    def proof(self, challenge: str, instance: str, port: int | None) -> str:
        """Prove to a client that this service knows the token, without telling it."""
        current = self._current()
        return proof(current.decode("ascii"), challenge, instance, port) if current else ""

    def _current(self) -> bytes:
        try:
            found = self.path.stat()
        except OSError:
            return b""  # without its file no token is right
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen != self._seen:
            self._token = read_token(self.path.parent).encode("ascii")
            self._seen = seen
        return self._token


def _others_may_read(path: Path) -> bool:
    return os.name != "nt" and bool(path.stat().st_mode & 0o077)


def _only_this_user(path: Path) -> None:
    """Windows: take the rights that a file inherits away, and give this user all of them."""
    try:
        told = _run(["whoami", "/user", "/fo", "csv", "/nh"])
        answer = _run(closing_command(path, told.stdout))
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise _not_closed(path) from error
    if answer.returncode != 0:
        raise _not_closed(path)


def closing_command(path: Path, user: str) -> list[str]:
    """Return the command with which Windows closes a file to everybody but one user.

    Args:
        path: the file.
        user: as `whoami /user /fo csv /nh` describes the user: "COMPUTER\\name","S-1-5-21-...". The number is
            taken, because a name may belong to several users, and be written in any alphabet.

    Raises:
        ValueError: that names no user.
    """
    found = re.search(r"S-1-[0-9-]+", user)
    if found is None:
        raise ValueError(f"no user in {user!r}")
    return ["icacls", str(path), "/inheritance:r", "/grant:r", f"*{found.group()}:F"]


def _not_closed(path: Path) -> StorageError:
    return StorageError(
        f"The file {path} could not be closed to other users.", "Use a folder on a disk with NTFS."
    )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # Only the number of the user is of interest, whatever the alphabet of the rest.
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=20, check=False
    )
