"""Somebody who watches an operation, and stops it when it has come far enough."""

from __future__ import annotations

from medssl.events import Event, Log, Metric, Monitor, Progress


class Watcher(Monitor):
    """Collects events, and asks to stop once a stage reports so many steps.

    Args:
        stop_at: steps of the stage; None never stops.
        stage: the end of its name; any stage when empty.
    """

    def __init__(self, stop_at: int | None = None, stage: str = "") -> None:
        super().__init__(self._take)
        self.events: list[Event] = []
        self._stop_at = stop_at
        self._stage = stage

    @property
    def reported(self) -> list[Progress]:
        """What was reported of every stage."""
        return [event for event in self.events if isinstance(event, Progress)]

    @property
    def told(self) -> list[str]:
        """The sentences for a person."""
        return [event.text for event in self.events if isinstance(event, Log)]

    @property
    def warnings(self) -> list[str]:
        """Those of them that warn."""
        return [event.text for event in self.events if isinstance(event, Log) and event.level == "warning"]

    def values(self, name: str = "loss") -> dict[int, float]:
        """A curve, by step."""
        return {e.step: e.value for e in self.events if isinstance(e, Metric) and e.name == name}

    def _take(self, event: Event) -> None:
        self.events.append(event)
        reached = isinstance(event, Progress) and event.stage.endswith(self._stage)
        if reached and self._stop_at is not None and event.done >= self._stop_at:
            self.cancel()
