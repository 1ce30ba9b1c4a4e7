"""Work beside the main thread, with answers on it.

In 3D Slicer a Python thread runs only while the main thread gives up the interpreter lock, and Qt's event
loop keeps it. As long as work is pending, a timer therefore gives the threads a few milliseconds at a time;
it also hands over their answers. Reading files and waiting for the network need no lock and take no time
from the viewer.

An answer may bring a question to the person. While the question is open, the event loop turns inside the call
that asked; other answers come all the same.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import qt

T = TypeVar("T")

_LOG = logging.getLogger("MedSSL")
_PUMP_MS = 15  # between two turns of the timer while answers are awaited
_QUIET_MS = 60  # and while someone only listens, for hours perhaps, and nothing comes: drawing goes first
_TURN_S = 0.005  # given to the threads at each
_LONGEST_DELIVERY = 20  # answers handed over in one turn, so that the views are drawn in between


class Task(Generic[T]):
    """One piece of work. Its answer is dropped once it is cancelled; the work itself runs to its end."""

    def __init__(
        self,
        work: Callable[[], T],
        done: Callable[[T], Any] | None,
        failed: Callable[[Exception], Any] | None,
    ) -> None:
        self._work = work
        self._done = done
        self._failed = failed
        self.cancelled = False

    def cancel(self) -> None:
        """Forget the answer."""
        self.cancelled = True

    def perform(self) -> Callable[[], None]:
        """Do the work, in any thread; returns what is to be done with its answer on the main thread."""
        try:
            answer = self._work()
        except Exception as error:  # noqa: BLE001  # whatever it is, `failed` or the log gets it
            problem = error
            return lambda: self._fail(problem)
        return lambda: self._deliver(answer)

    def _deliver(self, answer: T) -> None:
        if not self.cancelled and self._done is not None:
            self._done(answer)

    def _fail(self, error: Exception) -> None:
        if self.cancelled:
            return
        if self._failed is None:
            _LOG.error("Work in the background failed.", exc_info=error)
        else:
            self._failed(error)


class Background:
    """A few threads that end with the application, never holding it up."""

    def __init__(self, threads: int = 4) -> None:
        self._waiting: queue.SimpleQueue[Task[Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pending = 0
        self._listeners = 0
        self._threads = threads
        self._started = False
        self._timer = qt.QTimer()
        # Qt does not repeat a timer inside its own call: each turn starts the next before an answer can ask.
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PUMP_MS)
        self._timer.timeout.connect(self.turn)

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> Task[T]:
        """Do `work` in a thread, then `done(answer)` or `failed(error)` on the main thread."""
        task = Task(work, done, failed)
        self._start()
        self._pending += 1
        self._waiting.put(task)
        self._timer.setInterval(_PUMP_MS)
        self._timer.start()
        return task

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` made on the main thread; from any thread that runs inside `listening`."""
        self._answers.put(call)

    def listen(self) -> None:
        """Keep giving time to threads of others, such as a reader of events, until `unlisten`."""
        self._listeners += 1
        self._timer.start()

    def unlisten(self) -> None:
        """Take one `listen` back."""
        self._listeners -= 1

    def close(self) -> None:
        """Hand over nothing more."""
        self._timer.stop()
        if self._started:
            for _ in range(self._threads):
                self._waiting.put(None)
            self._started = False

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        for number in range(self._threads):
            threading.Thread(target=self._serve, name=f"MedSSL {number + 1}", daemon=True).start()

    def _serve(self) -> None:
        while True:
            task = self._waiting.get()
            if task is None:
                return
            deliver = task.perform()
            self._answers.put(lambda deliver=deliver: self._finish(deliver))  # type: ignore[misc]  # bound now

    def _finish(self, deliver: Callable[[], None]) -> None:
        self._pending -= 1
        deliver()

    def turn(self) -> None:
        """Let the threads work for a moment, and hand over their answers."""
        self._timer.start()
        delivered = 0
        for number in range(_LONGEST_DELIVERY):
            try:
                # Waiting for the first answer is what gives the threads their time.
                call = self._answers.get(timeout=_TURN_S) if number == 0 else self._answers.get_nowait()
            except queue.Empty:
                break
            delivered += 1
            try:
                call()
            except Exception:  # noqa: BLE001  # the other answers still come
                _LOG.exception("An answer of the engine could not be shown.")
        if not self._pending and not self._listeners and self._answers.empty():
            self._timer.stop()
            return
        pace = _PUMP_MS if self._pending or delivered else _QUIET_MS
        if self._timer.interval != pace:
            self._timer.setInterval(pace)
