"""The folder that a job of a test keeps its files in."""

from __future__ import annotations

from pathlib import Path


def job(tmp_path: Path, name: str = "job") -> Path:
    """Make the empty folder `name`."""
    folder = tmp_path / name
    folder.mkdir()
    return folder
