"""Reading a job's events again and again while they are being written, each time only what is new."""

from __future__ import annotations

import threading
from array import array
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from medssl.events import EVENT, Event
from medssl.jobs.files import EVENTS_FILE


class EventLog:
    """The events of one job. An event's number is its line in the file, from 1; it never changes.

    Many readers may share one: it remembers where each line begins, 8 bytes a line.
    """

    def __init__(self, folder: Path) -> None:
        """Name the job's folder; the file need not be there yet."""
        self._path = folder / EVENTS_FILE
        self._ends = array("Q", [0])  # of line 0, which does not exist, of line 1, ...
        self._lock = threading.Lock()

    def after(self, number: int, most: int | None = None) -> list[tuple[int, Event]]:
        """The events with a higher number than `number`, with their numbers; 0 asks for all.

        Where `most` is given, it gives the first so many of them.

        A line that is still being written comes next time; one that a kill cut short is left out for good.
        """
        with self._lock:
            lines = self._lines_after(max(0, number))
        found: list[tuple[int, Event]] = []
        for line_number, line in lines:
            if len(found) == most:
                break
            with suppress(ValidationError):
                found.append((line_number, EVENT.validate_json(line)))
        return found

    def _lines_after(self, number: int) -> list[tuple[int, bytes]]:
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                if size < self._ends[-1]:  # the file is another one now
                    self._ends = array("Q", [0])
                known = len(self._ends) - 1
                if number >= known and size == self._ends[-1]:
                    return []
                before = min(number, known)
                file.seek(self._ends[before])
                lines = file.read(size - self._ends[before]).splitlines(keepends=True)
        except FileNotFoundError:
            return []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        for line in lines[known - before :]:
            self._ends.append(self._ends[-1] + len(line))
        return [(i, line) for i, line in enumerate(lines, start=before + 1) if i > number]
