"""The secret that every request carries: a file that only its user can read."""

from __future__ import annotations

import getpass
import hmac
import os
import secrets
import subprocess
import sys
from pathlib import Path

from medssl.endpoint import TOKEN_FILE, read_token
from medssl.errors import StorageError
from medssl.storage import storage_error


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
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise storage_error(error, self.path) from error

    def accepts(self, offered: bytes) -> bool:
        """Whether a request's token is the right one; takes equally long whatever is wrong about it."""
        current = self._current()
        return bool(current) and hmac.compare_digest(current, offered)

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
    command = ["icacls", str(path), "/inheritance:r", "/grant:r", f"{getpass.getuser()}:F"]
    answer = subprocess.run(command, capture_output=True, timeout=20, check=False)
    if answer.returncode != 0:
        raise StorageError(
            f"The file {path} could not be closed to other users.", "Use a folder on a disk with NTFS."
        )
