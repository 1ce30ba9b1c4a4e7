"""The events of one job, read in the client's own thread and handed to the main thread in batches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from MedSSLLib.background import Background

if TYPE_CHECKING:
    from medssl.client import Client, EngineError, Event


class Feed:
    """Listens to one job from an event on until it ends or is stopped.

    A job that was watched by nobody may have thousands of events to tell: they come in few large batches, so
    that catching up costs the main thread next to nothing.
    """

    def __init__(
        self,
        background: Background,
        client: Client,
        project: str,
        job: str,
        after: int,
        told: Callable[[list[Event]], Any],
        ended: Callable[[str], Any],
        failed: Callable[[EngineError], Any],
    ) -> None:
        """Begin to listen.

        Args:
            background: gives the reader its time and makes the calls.
            client: of the engine.
            project: key of the project.
            job: id of the job.
            after: number of the last event that is known already.
            told: gets events in order, each once, on the main thread.
            ended: gets the last state, after all events.
            failed: gets what keeps the events from being read for good.
        """
        self._background = background
        self._told = told
        self._waiting: list[Event] = []
        self._lock = threading.Lock()
        self._stopped = False
        background.listen()
        self._reader = client.watch(
            project,
            job,
            self._take,
            on_end=lambda state: background.post(lambda: self._finish(lambda: ended(state))),
            on_error=lambda error: background.post(lambda: self._finish(lambda: failed(error))),
            after=after,
        )

    @property
    def connected(self) -> bool:
        """Whether the engine answers at this moment."""
        return self._reader.connected

    def stop(self) -> None:
        """Call back no more."""
        if not self._stopped:
            self._stopped = True
            self._reader.stop()
            self._background.unlisten()

    def _take(self, event: Event) -> None:
        """Keep an event for the next delivery; in the reader's thread."""
        with self._lock:
            self._waiting.append(event)
            first = len(self._waiting) == 1
        if first:
            self._background.post(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            events, self._waiting = self._waiting, []
        if events and not self._stopped:
            self._told(events)

    def _finish(self, tell: Callable[[], Any]) -> None:
        if self._stopped:
            return
        self._deliver()
        self.stop()
        tell()
