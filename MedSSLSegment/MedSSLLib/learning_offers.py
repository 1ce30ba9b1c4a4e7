"""What the engine offers for learning, asked once of each engine, for all sections that choose from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from MedSSLLib import learning_choices
from MedSSLLib.learning_choices import Choice
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Client, Device, Options

    from MedSSLLib.session import Session


class LearningOffers:
    """Methods, efforts and formats of the engine, and where it can compute.

    Attributes:
        changed: another engine offers, or none any more.
        options: what it offers; None while nobody knows.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.options: Optional[Options] = None
        self._session = session
        self._device: Optional[Device] = None
        self._asked_of: Optional[Client] = None
        session.engine_changed.connect(self._ask)
        self._ask()

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute; nothing while nobody knows."""
        return () if self._device is None else learning_choices.devices(self._device)

    @property
    def formats(self) -> tuple[Choice, ...]:
        """What segmentations can be written as."""
        return () if self.options is None else learning_choices.formats(self.options.formats)

    def remembered(self, section: str, what: str, usual: str) -> str:
        """What a person chose last in a section; the usual choice before they ever did."""
        return self._session.settings.value(f"{section}.{what}", usual)

    def remember(self, section: str, **chosen: str) -> None:
        """Keep what a person chose for the next time."""
        for what, key in chosen.items():
            self._session.settings.remember(f"{section}.{what}", key)

    def _ask(self) -> None:
        client = self._session.client
        if client is self._asked_of:
            return
        self._asked_of = client
        self.options = self._device = None
        if client is not None:
            self._session.ask(lambda asked: (asked.options(), asked.device()), self._take)
        self.changed.emit()

    def _take(self, found: tuple[Options, Device]) -> None:
        self.options, self._device = found
        self.changed.emit()
