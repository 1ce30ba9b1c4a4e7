"""How long a training goes on: a number of steps, or a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from medssl.learning.settings import RunSettings
from medssl.pace import Pace

_REMEMBERED = 50  # steps over which the pace is averaged
_SLEEP_S, _SLEEP_STEPS = 60.0, 20  # no step takes longer than both, unless the computer slept


class Budget:
    """Counts steps and time, across interruptions, and says how much is done and left.

    All of it is told as it was when the last step ended, so that the loop, the report and the validation that
    follow agree on whether it was the last one.

    Args:
        settings: the steps or seconds asked for.
        clock: seconds from any origin. Benchmarks give `time.process_time`, so that other programs on the
            machine do not shorten a training.
        step, elapsed_s: where an interrupted training stopped.

    Attributes:
        step: how many are done.
        elapsed_s: seconds trained so far; pauses, the computer's sleep, and time between interruption and
            resumption do not count.
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
        self.elapsed_s = elapsed_s
        self._pace = Pace(_REMEMBERED, lambda: self.elapsed_s)
        self._pauses_to_come_s = 0.0

    @property
    def fraction(self) -> float:
        """How much is done, 0..1."""
        if self._settings.steps is not None:
            return min(1.0, self.step / self._settings.steps)
        assert self._settings.seconds is not None
        return min(1.0, self.elapsed_s / self._settings.seconds)

    @property
    def left_s(self) -> float:
        """Seconds left: of a time the rest, of a number of steps by the pace of the last ones; with pauses.

        Pauses that are still to come are taken to be as long as the last one.
        """
        if self._settings.seconds is not None:
            training = max(0.0, self._settings.seconds - self.elapsed_s)
        else:
            assert self._settings.steps is not None
            training = self._pace.seconds_for(self._settings.steps - self.step) or 0.0
        return training + self._pauses_to_come_s

    @property
    def expected_steps(self) -> int:
        """Number of steps in all, estimated from the pace where a time was asked for."""
        if self._settings.steps is not None:
            return self._settings.steps
        return max(self.step, round(self.step / max(self.fraction, 1e-9)))

    def count(self) -> None:
        """One step more is done."""
        now = self._clock()
        self._origin += self._slept_s(now - self._origin - self.elapsed_s)
        self.step += 1
        self.elapsed_s = now - self._origin
        self._pace.count()

    def _slept_s(self, took_s: float) -> float:
        """How much of the time since the last step the computer slept: on Windows the clock goes on then.

        Of the first step, of a training or after an interruption, nobody knows how long it should take.
        """
        usual_s = self._pace.seconds_for(1)
        if usual_s is None or took_s <= max(_SLEEP_S, _SLEEP_STEPS * usual_s):
            return 0.0
        return took_s - usual_s

    @contextmanager
    def paused(self, to_come: int = 0) -> Iterator[None]:
        """Let no training time pass in the block; `to_come` pauses like it are known to follow."""
        began = self._clock()
        try:
            yield
        finally:
            took = self._clock() - began
            self._origin += took
            self._pauses_to_come_s = to_come * took
