"""Work that may take as long as a slow disk or a lost network drive does, and keeps nobody else waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Errands(Generic[Result]):
    """Does each piece of work in a thread of its own; who asks for one that is under way waits for that one.

    So a drive that never answers costs one thread, however often somebody asks. Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Result]] = {}

    def run(self, name: str, work: Callable[[], Result]) -> Future[Result]:
        """Begin a piece of work, or join the one of this name that is under way; it cannot be cancelled."""
        with self._lock:
            found = self._under_way.get(name)
            if found is None:
                found = self._under_way[name] = Future()
                found.set_running_or_notify_cancel()
                # A daemon: the program ends also while a drive does not answer.
                threading.Thread(
                    target=self._do, args=(name, work, found), name=f"medssl {name}", daemon=True
                ).start()
            return found

    def _do(self, name: str, work: Callable[[], Result], answer: Future[Result]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - who waits for it gets it
            self._end(name)
            answer.set_exception(error)
        else:
            self._end(name)
            answer.set_result(result)

    def _end(self, name: str) -> None:
        """Who asks from now on gets a new look, not this one."""
        with self._lock:
            del self._under_way[name]
