"""A disk on which nothing more has room."""

from __future__ import annotations

from pathlib import Path

import pytest


def fill_disk(disk: Path) -> Path:
    """Leave no room on a small disk; returns the file that takes it."""
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler
