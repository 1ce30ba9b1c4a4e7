"""What a service is started with."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from medssl.access import is_file
from medssl.endpoint import state_folder
from medssl.errors import UsageError

LOOPBACK = "127.0.0.1"
IDLE_S = 30 * 60.0
REMOTE_FOLDER = "MedSSL"  # in the home folder; a whole home is not for clients of other computers


@dataclass(frozen=True)
class ServiceSettings:
    """How a service behaves.

    Attributes:
        roots: the folders that requests may name paths in; empty means the home folder, or its folder
            `MedSSL` when other computers may connect.
        host: the address to listen on.
        port: 0 takes a free one.
        tls_certificate: PEM file; with it the service speaks HTTPS.
        tls_key: PEM file of the certificate's key, where it is not in the same file.
        idle_s: seconds without a job and a client after which the service ends; None means never.
        max_upload_bytes: of one file.
        state_folder: where lock, token, log and uploads are.
        by_client: whether a client started it, and not a person.
    """

    roots: tuple[Path, ...] = ()
    host: str = LOOPBACK
    port: int = 0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    idle_s: float | None = IDLE_S
    max_upload_bytes: int = 16 << 30
    state_folder: Path = field(default_factory=state_folder)
    by_client: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"There is no port {self.port}.", "Give one from 0 to 65535.")
        if self.tls_key is not None and self.tls_certificate is None:
            raise UsageError("A TLS key is of no use without its certificate.", "Give --tls-cert too.")
        for path in (self.tls_certificate, self.tls_key):
            if path is not None and not is_file(path, UsageError):
                raise UsageError(f"There is no file {path}.", "Give the path of a PEM file.")

    @property
    def is_local(self) -> bool:
        """Whether only this computer can connect."""
        return is_loopback(self.host)

    @property
    def uploads(self) -> Path:
        """Where uploaded files are until they are used or a day old."""
        return self.state_folder / "uploads"

    def allowed_folders(self) -> tuple[Path, ...]:
        """The folders that requests may name; they are made when missing."""
        if self.roots:
            return self.roots
        return (Path.home() if self.is_local else Path.home() / REMOTE_FOLDER,)


def is_loopback(host: str) -> bool:
    """Whether an address or name is this computer's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
