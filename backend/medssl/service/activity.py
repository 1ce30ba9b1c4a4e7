"""Whether anybody uses the service: requests being answered, and when the last one was."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Activity:
    """Counts the requests of clients with a right token. Threads may share it."""

    def __init__(self) -> None:
        """Start counting the idle time now."""
        self._lock = threading.Lock()
        self._running = 0
        self._last = time.monotonic()  # clocks on the wall jump

    @contextmanager
    def request(self) -> Iterator[None]:
        """Mark the time in which a request is answered; a stream of events is one long request."""
        with self._lock:
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._last = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last request ended; 0 while one is answered."""
        with self._lock:
            return 0.0 if self._running else time.monotonic() - self._last
