"""What the engine offers for learning, asked of each engine until it says, for all sections that choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

import qt

from MedSSLLib import learning_choices
from MedSSLLib.learning_choices import Choice
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Client, Device, Options

    from MedSSLLib.session import Session

_AGAIN_MS = 10_000  # until an engine that did not say is asked anew


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
        self._client: Optional[Client] = None
        self._told = False  # why this engine did not say
        self._again = qt.QTimer()
        self._again.setSingleShot(True)
        self._again.setInterval(_AGAIN_MS)
        self._again.timeout.connect(self._ask)
        session.engine_changed.connect(self._engine_changed)
        self._engine_changed()

    def close(self) -> None:
        """Ask no more."""
        self._again.stop()

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

    def _engine_changed(self) -> None:
        if self._session.client is self._client:
            return
        self._client = self._session.client
        self._told = False
        self.options = self._device = None
        self._ask()
        self.changed.emit()

    def _ask(self) -> None:
        self._again.stop()
        client = self._client
        if client is None:
            return

        def take(found: tuple[Options, Device]) -> None:
            if client is self._client:
                self.options, self._device = found
                self.changed.emit()

        def failed(error: Exception) -> None:
            if client is not self._client:
                return
            self._again.start()
            if not self._told:
                self._told = True
                self._session.report(error)

        self._session.ask(lambda asked: (asked.options(), asked.device()), take, failed)
