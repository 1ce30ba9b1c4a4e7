"""Scoring a model on the annotated scans for validation, into a folder with a table and a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import engine_reports
from MedSSLLib.jobs_track import Track
from MedSSLLib.journeys import Errand
from MedSSLLib.plurals import plural
from MedSSLLib.signals import Signal
from MedSSLLib.told_errands import ToldErrands

if TYPE_CHECKING:
    from medssl.client import CasePage

    from MedSSLLib.background import Task
    from MedSSLLib.session import Session


class ScoringLogic:
    """Starts the job, and knows what came of the newest one.

    Attributes:
        changed: its state or its progress is another.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self._session = session
        self._looking: Optional[Task[Any]] = None
        self._errands = ToldErrands(session, _ended)
        session.jobs.told.connect(self._follow)
        session.jobs.listed.connect(self.changed.emit)

    @property
    def track(self) -> Optional[Track]:
        """The newest job that scores a model; None when there is none."""
        return next((track for track in self._session.jobs.tracks if _scores_a_model(track)), None)

    def look(self, done: Callable[[], Any]) -> None:
        """See whether there is anything to score a model on, and say so if not.

        Args:
            done: called if there is, unless somebody looked again before that was known.
        """
        project = self._session.project
        if project is None:
            return
        key = project.key

        def tell(page: CasePage) -> None:
            if not self._session.is_open(key):
                return
            if page.total:
                done()
                return
            self._session.say(
                _("No scan for validation is annotated: there is nothing to score a model on."),
                _("Choose the use 'validation' for an annotated scan in the section Project."),
                "warning",
            )

        if self._looking is not None:
            self._looking.cancel()
        self._looking = self._session.ask(
            lambda client: client.cases(key, role="validation", state="annotated", limit=1), tell
        )

    def start(self, model: str, folder: str) -> None:
        """Score a model; the table and the report go into a folder of this computer."""
        errand = Errand({"kind": "evaluate", "model": model}, target=folder)
        self._errands.begin(errand, _("Scoring the model..."))

    def cancel(self) -> None:
        """Ask the job to stop."""
        if self.track is not None:
            self._session.jobs.cancel(self.track.job.id)

    def open_report(self) -> None:
        """Show the report in the browser."""
        engine_reports.open_report(self._session, self.track)

    def _follow(self, track: Track) -> None:
        if track is self.track:
            self.changed.emit()


def _scores_a_model(track: Track) -> bool:
    """Whether a job scores a model, and no segmentations that somebody gave to the command line."""
    return track.job.kind == "evaluate" and not (track.job.request or {}).get("predictions")


def _ended(track: Track, here: str) -> str:
    scored = int((track.job.result or {}).get("cases", 0))
    return str(
        plural(
            scored,
            _("One scan is scored. The table and the report are in {folder}."),
            _("{count} scans are scored. The table and the report are in {folder}."),
        ).format(count=scored, folder=here)
    )
