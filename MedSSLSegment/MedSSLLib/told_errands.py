"""Jobs with files of this computer, of whose end the panel's line tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from MedSSLLib.jobs_track import Track
from MedSSLLib.journeys import Errand

if TYPE_CHECKING:
    from MedSSLLib.session import Session


class ToldErrands:
    """Starts such jobs, and says what became of each once its results are on this computer."""

    def __init__(self, session: Session, sentence: Callable[[Track, str], str]) -> None:
        """Tell in the line of a session.

        Args:
            session: of the panels.
            sentence: gets a job that is finished, and where its result is on this computer; says so.
        """
        self._session = session
        self._sentence = sentence
        self._underway: set[str] = set()  # jobs whose end is told
        session.jobs.listed.connect(self._look)
        session.journeys.arrived.connect(lambda journey, track, left: self._tell(track, left))

    def begin(self, errand: Errand, doing: str) -> None:
        """Start a job, and say what it does."""
        self._session.say(doing)
        self._session.journeys.submit(errand, lambda track: self._underway.add(track.job.id))

    def _tell(self, track: Track, left: str = "") -> None:
        job, journeys = track.job, self._session.journeys
        if job.id not in self._underway or not track.over or job.ended is None:
            return
        journey = journeys.of(job.id)
        if journey is not None and track.state == "finished" and not journey.arrived:
            return  # `arrived` tells
        self._underway.discard(job.id)
        if track.state == "finished":
            here = journey.here if journey is not None else str((job.request or {}).get("output", ""))
            self._session.say(self._sentence(track, here) + left)
        elif track.state == "failed":
            self._session.say(job.error, job.remedy, "error")

    def _look(self) -> None:
        """A small job may have ended before anyone could listen."""
        for track in self._session.jobs.tracks:
            self._tell(track)
