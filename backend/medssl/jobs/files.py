"""What a job leaves in its folder while it runs: events for programs and a log for people."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from medssl.events import EVENT, Event, Log, Monitor, State
from medssl.storage import storage_error

REQUEST_FILE = "request.json"
RESULT_FILE = "result.json"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "log.txt"
CANCEL_FILE = "cancel"
_CANCEL_LOOK_S = 0.5  # how often a running job looks whether another process asked it to stop


def read_events(folder: Path) -> Iterator[Event]:
    """Every event of a job from its start; a line that a kill cut short is left out."""
    try:
        with (folder / EVENTS_FILE).open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                with contextlib.suppress(ValidationError):
                    yield EVENT.validate_json(line)
    except FileNotFoundError:
        return


class JobFiles(Monitor):
    """The monitor of one job: writes what happens into the job's folder and hands it on to `outer`.

    It is cancelled when `outer` is, or when another process left the file `cancel` in the folder.
    Use it as a context; the files are open for its time only.

    Raises:
        StorageError: the folder may not be written or the disk is full.
    """

    def __init__(self, folder: Path, outer: Monitor) -> None:
        super().__init__()
        self.folder = folder
        self._outer = outer
        self._lock = threading.Lock()
        self._looked = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._events = (folder / EVENTS_FILE).open("ab")
            if self._events.tell() and not _ends_a_line(folder / EVENTS_FILE):
                self._events.write(b"\n")
            self._log = (folder / LOG_FILE).open("a", encoding="utf-8")
        except OSError as error:
            raise storage_error(error, folder) from error

    def __enter__(self) -> JobFiles:
        """Give the open files."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self._events.close()
        self._log.close()

    def emit(self, event: Event) -> None:
        """Write the event at once, so that a viewer of the file sees it and a kill loses nothing."""
        try:
            with self._lock:
                self._events.write(event.model_dump_json().encode() + b"\n")
                self._events.flush()
                if isinstance(event, Log):
                    self._write_log(event.level, event.text)
                elif isinstance(event, State):
                    self._write_log("state", f"{event.state} {event.error} {event.remedy}".strip())
        except OSError as error:
            raise storage_error(error, self.folder / EVENTS_FILE) from error
        self._outer.emit(event)

    def tell(self, event: Event) -> None:
        """Tell only those who watch, where the folder cannot be written any more."""
        self._outer.emit(event)

    def failure(self, error: BaseException, with_words: bool = True) -> None:
        """Write an error's traceback into the log, for the engineer who is asked for help."""
        where = [f"{type(error).__name__}\n", *traceback.format_tb(error.__traceback__)]
        lines = traceback.format_exception(error) if with_words else where
        with contextlib.suppress(OSError), self._lock:
            self._write_log("error", "".join(lines).rstrip())

    @property
    def cancelled(self) -> bool:
        """Whether anybody asked to stop: here, in the surrounding monitor, or from another process."""
        if super().cancelled or self._outer.cancelled:
            return True
        now = time.monotonic()
        if now - self._looked >= _CANCEL_LOOK_S:
            self._looked = now
            if (self.folder / CANCEL_FILE).exists():
                self.cancel()
                self.emit(State(state="cancelling"))
        return super().cancelled

    def _write_log(self, level: str, text: str) -> None:
        moment = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        self._log.write(f"{moment} {level}: {text}\n")
        self._log.flush()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
