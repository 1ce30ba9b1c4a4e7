"""What files hold, so that they are known again wherever they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Content(BaseModel):
    """The bytes of the files of a scan, whatever the files are called: their number and a digest of them."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str

    @classmethod
    def of(cls, channels: Sequence[Sequence[Path]]) -> Content:
        """Read the files of every channel; the order of the channels counts, that of their files does not.

        Raises:
            OSError: one cannot be read.
        """
        digest = hashlib.sha256()
        for files in channels:
            digest.update("\n".join(sorted(map(sha256_of, files))).encode() + b"\0")
        return cls(bytes=_bytes(channels), sha256=digest.hexdigest())

    def is_of(self, channels: Sequence[Sequence[Path]]) -> bool:
        """Whether files hold the same; they are read only when they are of the same size.

        Raises:
            OSError: one cannot be read.
        """
        return _bytes(channels) == self.bytes and Content.of(channels) == self


def sha256_of(path: Path) -> str:
    """Hash a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _bytes(channels: Sequence[Sequence[Path]]) -> int:
    return sum(path.stat().st_size for files in channels for path in files)
