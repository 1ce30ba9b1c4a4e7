"""What MedSSL itself left in a folder of scans: projects, and the results of earlier runs."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

DATABASE_NAME = "project.db"  # makes a folder a project
RESULTS_FOLDER = ".medssl"  # in a folder of results: what the runs keep about it
LEDGER_NAME = "ledger.jsonl"


class _Row(BaseModel):
    """The part of a ledger's row that says which file it is of, below the folder of results."""

    path: str


def results_in(folder: Path) -> frozenset[Path]:
    """Return every file that runs ever wrote below a folder of results; none where it is no such folder.

    Raises:
        OSError: the ledger of the runs may not be read.
    """
    try:
        lines = (folder / RESULTS_FOLDER / LEDGER_NAME).read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    return frozenset(folder / path for path in map(_path, lines) if path)


def _path(line: bytes) -> str:
    """The path of a row; empty where a kill or another program left half of one."""
    try:
        return _Row.model_validate_json(line).path
    except ValidationError:
        return ""
