"""On which computer a job waits: a project on a network drive, or a copy of one, is opened on several."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from medssl.host import computer_id
from medssl.storage import write_text

WAITING_FILE = "waiting.json"


class _Waiting(BaseModel):
    model_config = ConfigDict(frozen=True)

    computer: str


def wait_here(folder: Path) -> None:
    """Note that a job is to be run by this computer, whose files and devices were meant.

    Args:
        folder: the job's.

    Raises:
        StorageError: the folder may not be written or the disk is full.
    """
    write_text(folder / WAITING_FILE, _Waiting(computer=computer_id()).model_dump_json(indent=2) + "\n")


def waits_elsewhere(folder: Path) -> bool:
    """Whether a job that waits is another computer's; not where an older version noted nothing."""
    try:
        noted = _Waiting.model_validate_json((folder / WAITING_FILE).read_bytes())
    except (OSError, ValidationError):
        return False
    return noted.computer != computer_id()
