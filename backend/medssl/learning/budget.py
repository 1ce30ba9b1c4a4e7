"""How long a training goes on: a number of steps, or a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from medssl.learning.settings import RunSettings
from medssl.pace import Pace

_REMEMBERED = 50  # steps over which the pace is averaged


class Budget:
    """Counts steps and time, across interruptions, and says how much is done and left.

    Args:
        settings: the steps or seconds asked for.
        clock: seconds from any origin. Benchmarks give `time.process_time`, so that other programs on the
            machine do not shorten a training.
        step, elapsed_s: where an interrupted training stopped.
    """

    def __init__(
        self,
        settings: RunSettings,
        clock: Callable[[], float] = time.monotonic,
        step: int = 0,
        elapsed_s: float = 0.0,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._origin = clock() - elapsed_s
        self.step = step
        self._pace = Pace(_REMEMBERED, clock)

    @property
    def elapsed_s(self) -> float:
        """Seconds trained so far, time between interruption and resumption not counted."""
        return self._clock() - self._origin

    @property
    def fraction(self) -> float:
        """How much is done, 0..1."""
        if self._settings.steps is not None:
            return min(1.0, self.step / self._settings.steps)
        assert self._settings.seconds is not None
        return min(1.0, self.elapsed_s / self._settings.seconds)

    @property
    def left_s(self) -> float:
        """Seconds left: exact for a time, from the pace of the last steps for a number of steps."""
        if self._settings.seconds is not None:
            return max(0.0, self._settings.seconds - self.elapsed_s)
        assert self._settings.steps is not None
        return self._pace.seconds_for(self._settings.steps - self.step) or 0.0

    @property
    def expected_steps(self) -> int:
        """Number of steps in all, estimated from the pace where a time was asked for."""
        if self._settings.steps is not None:
            return self._settings.steps
        return max(self.step, round(self.step / max(self.fraction, 1e-9)))

    def count(self) -> None:
        """One step more is done."""
        self.step += 1
        self._pace.count()
