"""A file that another program has open, as Windows treats it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest


def open_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next two attempts to replace a file be refused."""
    refusals = [PermissionError(errno.EACCES, "it is open")] * 2
    replace = Path.replace

    def sometimes(path: Path, other: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(path, other)

    monkeypatch.setattr(Path, "replace", sometimes)
