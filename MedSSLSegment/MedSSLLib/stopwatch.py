"""How long a person worked on something: only the time that the panel was open counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Optional


class Stopwatch:
    """Stands still until `start`.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept = 0.0
        self._since: Optional[float] = None

    @property
    def seconds(self) -> float:
        """What it shows."""
        return self._kept + (0.0 if self._since is None else self._clock() - self._since)

    def reset(self) -> None:
        """Begin from 0, running or not as before."""
        self._kept = 0.0
        if self._since is not None:
            self._since = self._clock()

    def start(self) -> None:
        """Run; once more changes nothing."""
        if self._since is None:
            self._since = self._clock()

    def stop(self) -> None:
        """Stand still, and keep what it shows."""
        self._kept = self.seconds
        self._since = None
