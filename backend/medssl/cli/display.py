"""How a running job looks: bars on a terminal, lines in a file, JSON for a program."""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from medssl.cli.streams import NobodyReadsError, put, tell
from medssl.events import Event, Log, Metric, Progress, State

if TYPE_CHECKING:
    from rich.console import Console

_LINE_EVERY_S = 15.0
_SHOWN_METRICS = 8
_UNSEEN = "What happens cannot be shown any more. The work goes on; Ctrl+C stops it."


def duration(seconds: float) -> str:
    """A time span for a person: '4 s', '2 min 05 s', '1 h 03 min'."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Display(ABC):
    """Shows the events of jobs; a context, so that a terminal is left in order whatever happens.

    The work does not depend on anybody seeing it: when the reader or the terminal has gone, nothing more is
    shown.
    """

    _unseen = False

    def __enter__(self) -> Display:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._while_seen(self._close)

    def show(self, event: Event) -> None:
        """Show one event; called in any thread."""
        self._while_seen(lambda: self._show(event))

    def heading(self, text: str) -> None:
        """Say what the next events are about."""
        self._while_seen(lambda: self._heading(text))

    def _while_seen(self, write: Callable[[], None]) -> None:
        if self._unseen:
            return
        try:
            write()
        except (OSError, NobodyReadsError):
            self._unseen = True
            tell(_UNSEEN)

    @abstractmethod
    def _show(self, event: Event) -> None: ...

    @abstractmethod
    def _heading(self, text: str) -> None: ...

    def _close(self) -> None:  # noqa: B027 - only a terminal has something to give back
        """Give back what was taken for showing."""


class JsonDisplay(Display):
    """One JSON object a line on standard output."""

    def _show(self, event: Event) -> None:
        put(event.model_dump_json())

    def _heading(self, text: str) -> None:
        """Write the heading as a log event, which every reader knows."""
        self._show(Log(text=text))


class LineDisplay(Display):
    """Plain lines on standard error: stages as they begin and end, and a sign of life in between."""

    def __init__(self) -> None:
        self._stage = ""
        self._written = 0.0
        self._metrics: dict[str, float] = {}

    def _show(self, event: Event) -> None:
        """Write a line when the event deserves one."""
        if isinstance(event, Metric):
            self._metrics[event.name] = event.value
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Log):
            tell(event.text if event.level == "info" else f"{event.level.capitalize()}: {event.text}")

    def _heading(self, text: str) -> None:
        """Write the heading as a line of its own."""
        tell(text)

    def _progress(self, event: Progress) -> None:
        if not event.total:
            return
        now, ends = time.monotonic(), event.done >= event.total
        if event.stage == self._stage and not ends and now - self._written < _LINE_EVERY_S:
            return
        if event.stage != self._stage:
            self._metrics.clear()
        self._stage, self._written = event.stage, now
        text = f"{_capital(event.stage)}: {_count(event)}"
        if event.left_s is not None and not ends:
            text += f", {duration(event.left_s)} left"
        if self._metrics:
            text += f" ({_metrics(self._metrics)})"
        tell(text)


class TerminalDisplay(Display):
    """A bar a stage with count and time left, and the newest losses below, redrawn in place."""

    def __init__(self, console: Console) -> None:
        from rich.console import Group
        from rich.live import Live
        from rich.progress import BarColumn, TaskID, TextColumn
        from rich.progress import Progress as Bars
        from rich.text import Text

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("[dim]{task.fields[left]}"),
            console=console,
        )
        # Loading torch takes seconds, in which nothing else is there to see.
        self._numbers = Text("Starting ...", style="dim", no_wrap=True, overflow="ellipsis")
        self._live = Live(
            Group(self._bars, self._numbers), console=console, refresh_per_second=8, transient=True
        )
        self._console = console
        self._task: tuple[str, TaskID] | None = None
        self._began = 0.0
        self._metrics: dict[str, float] = {}

    def __enter__(self) -> TerminalDisplay:
        """Begin to draw."""
        self._live.start()
        return self

    def _close(self) -> None:
        """Give the terminal back."""
        self._end_stage()
        self._live.stop()

    def _show(self, event: Event) -> None:
        """Draw the event into its place."""
        if isinstance(event, Metric):
            self._metrics[event.name] = event.value
            self._numbers.plain = _metrics(self._metrics)
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Log):
            self._print(event.text, {"info": "", "warning": "yellow", "error": "red"}[event.level])
        elif isinstance(event, State) and event.state in ("finished", "failed", "cancelled"):
            self._end_stage()

    def _heading(self, text: str) -> None:
        """Print the heading above the bars."""
        self._end_stage()
        self._numbers.plain = ""
        self._console.print(text, style="bold", markup=False, highlight=False)

    def _progress(self, event: Progress) -> None:
        if not event.total:
            return
        left = "" if event.left_s is None else f"{duration(event.left_s)} left"
        if self._task is None or self._task[0] != event.stage:
            self._end_stage()
            self._numbers.plain = _metrics(self._metrics)
            added = self._bars.add_task(_capital(event.stage), total=event.total, count="", left="")
            self._task, self._began = (event.stage, added), time.monotonic()
        self._bars.update(
            self._task[1], completed=event.done, total=event.total, count=_count(event), left=left
        )

    def _end_stage(self) -> None:
        """Leave one line of a stage that is over and take its bar away."""
        if self._task is None:
            return
        stage, task = self._task
        count = next((str(t.fields["count"]) for t in self._bars.tasks if t.id == task), "")
        took = duration(time.monotonic() - self._began)
        self._print(f"{_capital(stage)}: {count} in {took}", "dim")
        self._bars.remove_task(task)
        self._task = None
        self._metrics.clear()
        self._numbers.plain = ""

    def _print(self, text: str, style: str) -> None:
        """Print what belongs to the heading above, indented also where it needs several lines."""
        from rich.padding import Padding
        from rich.text import Text

        self._console.print(Padding(Text(text, style=style), (0, 0, 0, 2)))


def make_display(as_json: bool) -> Display:
    """The display that fits: JSON when asked for, bars on a terminal, lines otherwise."""
    if as_json:
        return JsonDisplay()
    if not sys.stderr.isatty():
        return LineDisplay()
    from rich.console import Console

    return TerminalDisplay(Console(stderr=True))


def write_json(content: object) -> None:
    """Write one JSON line of a command's result to standard output."""
    put(json.dumps(content, ensure_ascii=False))


def _count(event: Progress) -> str:
    return f"{event.done:.0f} of {event.total:.0f}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _metrics(values: dict[str, float]) -> str:
    shown = list(values.items())[:_SHOWN_METRICS]
    return ", ".join(f"{name} {value:.4g}" for name, value in shown)
