"""What follows a training: proposals for the cases that nobody annotated, even after Slicer was closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MedSSLLib.jobs_track import Track
from MedSSLLib.plurals import plural

if TYPE_CHECKING:
    from medssl.client import Client

    from MedSSLLib.session import Session

_SETTING = "proposeAfter"  # ids of jobs, remembered beyond the end of Slicer


class FollowUp:
    """Lets the new model propose, once for each training that was started here."""

    def __init__(self, session: Session) -> None:
        self._session = session
        session.jobs.listed.connect(self._look)

    def propose_after(self, track: Track) -> None:
        """Have proposals made when a training is finished."""
        awaited = self._awaited()
        if track.job.id not in awaited:
            self._session.settings.remember(_SETTING, [*awaited, track.job.id])

    def _awaited(self) -> list[str]:
        remembered: list[str] = []
        return self._session.settings.value(_SETTING, remembered)

    def _look(self) -> None:
        for job in self._awaited():
            track = self._session.jobs.track(job)
            # A cancelled or failed one may still be resumed. The result comes with the engine's last word.
            if track is None or track.state != "finished" or track.job.result is None:
                continue
            self._session.settings.remember(_SETTING, [each for each in self._awaited() if each != job])
            self._propose(str(track.job.result.get("model_id", "latest")))

    def _propose(self, model: str) -> None:
        project = self._session.project
        if project is None:
            return
        key = project.key

        def count(client: Client) -> int:
            found = client.cases(key, role="training", limit=1).total
            return found - client.cases(key, role="training", state="annotated", limit=1).total

        def propose(waiting: int) -> None:
            if waiting:
                self._session.jobs.submit({"kind": "propose", "model": model})
                text = plural(
                    waiting,
                    _("The training is finished; 1 scan gets a proposal now."),
                    _("The training is finished; {count} scans get proposals now."),
                )
                self._session.say(text.format(count=waiting), _("Look at them in the section Review."))

        self._session.ask(count, propose)
