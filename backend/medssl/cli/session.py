"""What every command needs: its project, a place for its answer, and a job that Ctrl+C stops in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from medssl.cli.display import Display, make_display, write_json
from medssl.cli.streams import put, tell
from medssl.cli.workplace import ProjectView, workplace
from medssl.events import Monitor

if TYPE_CHECKING:
    from medssl.jobs.requests import Request

_LONGEST_NAME = 48  # letters of the first column of a table


@contextmanager
def opened(folder: Path) -> Iterator[ProjectView]:
    """Open the project of a command, here or through an engine elsewhere."""
    with workplace(folder) as place:
        yield place.project


@contextmanager
def interruptible(monitor: Monitor) -> Iterator[None]:
    """Let Ctrl+C (and a polite kill) ask for a stop first, and stop at once the second time."""

    def ask(number: int, frame: FrameType | None) -> None:
        if monitor.cancelled:
            raise KeyboardInterrupt
        monitor.cancel()
        tell("\nStopping at the next safe place; press Ctrl+C again to stop at once.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def watched(as_json: bool) -> Iterator[tuple[Display, Monitor]]:
    """Give a display and a monitor that shows on it and listens to Ctrl+C."""
    with make_display(as_json) as display:
        monitor = Monitor(display.show)
        with interruptible(monitor):
            yield display, monitor


def run_request(folder: Path, request: Request, as_json: bool) -> int:
    """Run a job of the project in `folder` and show its events and its result; returns the exit code."""
    from medssl.cli.results import show_result

    with workplace(folder) as place:
        with watched(as_json) as (_, monitor):
            result = place.run(request, monitor)
        return show_result(result, as_json)


def say(text: str) -> None:
    """Write a line of a command's answer."""
    put(text)


def answer(text: str, content: object, as_json: bool) -> None:
    """Give a command's answer in the way that was asked for."""
    if as_json:
        write_json(content)
    else:
        say(text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns; numbers stay as they are written, and long names at the start are cut."""
    rows = [(_cut(row[0]), *row[1:]) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cut(name: str) -> str:
    """Keep a name of 200 letters from pushing the other columns out of sight."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
