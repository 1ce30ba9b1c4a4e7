"""Reading a job's events in the background, across lost connections, each exactly once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import requests

from medssl.client.answers import event_of
from medssl.client.connection import Connection, EngineError
from medssl.client.records import Event

_SILENCE_S = 40.0  # the service says something every ten seconds
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_PIECE_BYTES = 1 << 16


class EventReader:
    """Calls back with the events of one job, in a thread of its own, until the job ends.

    A connection that breaks is made again, and the events go on where they stopped.

    Attributes:
        last: number of the last event that was told.
        connected: whether the engine answers at this moment.
        state: the job's last state; None until it ended.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        after: int,
        on_event: Callable[[Event], None],
        on_end: Callable[[str], None] | None,
        on_error: Callable[[EngineError], None] | None,
    ) -> None:
        """Begin to read; see `Client.watch`."""
        self.last = after
        self.connected = False
        self.state: str | None = None
        self._connection = connection
        self._path = path
        self._on_event = on_event
        self._on_end = on_end
        self._on_error = on_error
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="medssl events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Call back no more. The thread ends by itself when it next hears from the engine."""
        self._stopped.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the job ended or reading it failed; whether that happened in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stopped.is_set():
            before = self.last
            try:
                if self._read():
                    return
            except EngineError as error:
                # 'This cannot work' ends it; 'not now' does not.
                if error.status is not None and error.status < 500:
                    self._tell_error(error)
                    return
            self.connected = False
            wait_s = _FIRST_WAIT_S if self.last > before else min(2 * wait_s, _LONGEST_WAIT_S)
            self._stopped.wait(wait_s)

    def _read(self) -> bool:
        """Read one connection to its end; whether the job ended with it."""
        response = self._connection.stream(self._path, {"after": self.last}, _SILENCE_S)
        with response:
            self.connected = True
            for number, kind, data in _messages(response):
                if self._stopped.is_set():
                    return True
                if kind == "end":
                    self.state = data
                    if self._on_end is not None:
                        self._on_end(data)
                    return True
                self._on_event(event_of(number, json.loads(data)))
                self.last = number
        return False

    def _tell_error(self, error: EngineError) -> None:
        if self._on_error is not None and not self._stopped.is_set():
            self._on_error(error)


def _messages(response: requests.Response) -> Iterator[tuple[int, str, str]]:
    """Server-sent events as number, kind and data; ends quietly where the connection does."""
    number, kind, data = 0, "", ""
    try:
        for line in response.iter_lines(chunk_size=_PIECE_BYTES):
            name, _, value = line.decode("utf-8").partition(": ")
            if name == "id":
                number = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not line and kind:
                yield number, kind, data
                kind = data = ""
    except requests.exceptions.RequestException:
        return
