"""A file that another program has open, as Windows treats it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest


def open_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next two attempts to rename or replace a file be refused."""
    refusals = [PermissionError(errno.EACCES, "it is open")] * 2

    def refused_at_first(give_name: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def sometimes(path: Path, other: Path) -> Path:
            if refusals:
                raise refusals.pop()
            return give_name(path, other)

        return sometimes

    monkeypatch.setattr(Path, "replace", refused_at_first(Path.replace))
    monkeypatch.setattr(Path, "rename", refused_at_first(Path.rename))
