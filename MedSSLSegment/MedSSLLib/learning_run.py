"""The newest job of one kind that learns, followed from its first step on, and stopped and resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from MedSSLLib.jobs_track import Track
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from MedSSLLib.session import Session


class LearningRun:
    """What a section shows of a training or a pretraining.

    Attributes:
        progressed: it reported something, or another one is the newest.
    """

    def __init__(self, session: Session, kind: str) -> None:
        """Follow the newest job of a kind, 'train' or 'pretrain'."""
        self.progressed = Signal()
        self._session = session
        self._kind = kind
        session.jobs.listed.connect(self._follow)
        session.jobs.told.connect(self._hear)

    @property
    def track(self) -> Optional[Track]:
        """The one that runs, else the newest."""
        return self._session.jobs.newest(self._kind)

    def cancel(self) -> None:
        """Ask it to stop."""
        if self.track is not None:
            self._session.jobs.cancel(self.track.job.id)

    def resume(self) -> None:
        """Go on where it stopped."""
        if self.track is not None:
            self._session.jobs.resume(self.track.job.id)

    def _follow(self) -> None:
        track = self.track
        if track is not None and track.over and not track.whole:
            self._session.jobs.recall(track.job.id, lambda recalled: self.progressed.emit())
        self.progressed.emit()

    def _hear(self, track: Track) -> None:
        if track is self.track:
            self.progressed.emit()
