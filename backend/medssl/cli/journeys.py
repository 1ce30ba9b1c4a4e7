"""Where the results of jobs of an engine elsewhere belong on this computer, until they have arrived."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict

from medssl.client import Arrivals
from medssl.client.arrivals import file_name_of
from medssl.storage import write_text


class Journey(BaseModel):
    """What one job took along, and where its results go.

    Attributes:
        uploads: ids of what was sent, and of the folder for results.
        there: where the job leaves its results; '' when it leaves none that are fetched.
        here: where they go.
        names: a path on the engine's computer, and the one on this computer that it stands for.
        left: scans or segmentations that could not be sent, with the reason.
    """

    model_config = ConfigDict(extra="forbid")

    uploads: list[str] = []
    there: str = ""
    here: Path = Path()
    names: dict[str, str] = {}
    left: dict[str, str] = {}

    def at_home(self, text: str) -> str:
        """A text of the engine with the names that its paths have here."""
        if self.there:
            text = text.replace(self.there, str(self.here))
        # Most texts name none of many files; those of one folder differ in their ends only.
        for there, here in self.names.items():
            if there in text:
                text = text.replace(there, here)
        return text


def keep(job_id: str, journey: Journey) -> None:
    """Remember a journey, so that its results still arrive when this program or the way there is cut off."""
    write_text(_file(job_id), journey.model_dump_json())


def recall(job_id: str) -> Journey | None:
    """Return the journey of a job that began on this computer and has not ended."""
    try:
        return Journey.model_validate_json(_file(job_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or no text of ours
        return None


def forget(job_id: str) -> None:
    """Forget a journey that has ended."""
    _file(job_id).unlink(missing_ok=True)
    arrivals(job_id).forget()


def arrivals(job_id: str) -> Arrivals:
    """Return what is known of the results of a job that were fetched so far."""
    return Arrivals(_folder(), job_id)


def _file(job_id: str) -> Path:
    return _folder() / f"{file_name_of(job_id)}.json"


def _folder() -> Path:
    return platformdirs.user_state_path("medssl", appauthor=False) / "journeys"
