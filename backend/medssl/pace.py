"""How fast one of many like things is done at the moment."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class Pace:
    """Averages over the last things only, so that fast or slow ones long ago do not make the rest a lie.

    Args:
        remembered: how many things to average over.
        clock: seconds from any origin.
    """

    def __init__(self, remembered: int = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moments = deque([clock()], maxlen=remembered + 1)

    def count(self) -> None:
        """One thing more is done."""
        self._moments.append(self._clock())

    def seconds_for(self, things: int) -> float | None:
        """Seconds that so many things will take; None before the first is done."""
        done = len(self._moments) - 1
        return (self._moments[-1] - self._moments[0]) / done * things if done else None
