"""Finds what keeps the main thread busy for too long: the viewer would stand still for that time."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_S = 0.02


@dataclass(frozen=True)
class Delay:
    """One stretch of time in which the main thread did not come back.

    Attributes:
        busy_s: its length without the time that the computer gave to other processes, though never less
            than the processor time of the main thread.
        stack: where the main thread was when somebody looked; '' when nobody could.
    """

    busy_s: float
    stack: str

    def __str__(self) -> str:
        return f"{self.busy_s * 1000:.0f} ms\n{self.stack}"


def _held_up_s() -> float:
    """For how long the computer did other things than this process; 0 where Linux does not tell.

    The main thread waits for a processor, or for the interpreter's lock, which another thread holds while
    that one waits for a processor, or for a host that gives the whole virtual machine's to others.
    """
    waiting = 0
    for thread in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # of a thread that has just ended
            waiting += int(thread.read_text(encoding="ascii").split()[1])
    try:
        with Path("/proc/stat").open(encoding="ascii") as stat:
            stolen = int(stat.readline().split()[8])
    except OSError:
        return 0.0
    return waiting / 1e9 + stolen / os.sysconf("SC_CLK_TCK")


class Watchdog:
    """Measures stretches of the main thread; those over the limit are kept, with a look at the stack.

    Args:
        limit_s: what is too long.
    """

    def __init__(self, limit_s: float = 0.1) -> None:
        self.limit_s = limit_s
        self.delays: list[Delay] = []
        self.longest_s = 0.0
        self._main = threading.get_ident()
        self._since: float | None = None
        self._stack = ""
        self._ended = threading.Event()
        self._looker = threading.Thread(target=self._look, name="watchdog", daemon=True)
        self._looker.start()

    @contextmanager
    def stretch(self) -> Iterator[None]:
        """Measure what is done inside; a stretch within another one belongs to that."""
        if self._since is not None:
            yield
            return
        held_up = _held_up_s()
        working = time.thread_time()
        self._stack = ""
        self._since = begin = time.perf_counter()
        try:
            yield
        finally:
            self._since = None
            passed = time.perf_counter() - begin
            working = time.thread_time() - working
            busy = max(working, passed - max(0.0, _held_up_s() - held_up))
            self.longest_s = max(self.longest_s, busy)
            if busy > self.limit_s:
                self.delays.append(Delay(busy, self._stack))

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._looker.join()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_S):
            since = self._since
            if since is not None and time.perf_counter() - since > self.limit_s and not self._stack:
                frame = sys._current_frames().get(self._main)
                self._stack = "".join(traceback.format_stack(frame, limit=12)) if frame else ""
