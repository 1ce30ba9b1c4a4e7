"""What a long operation tells the world while it runs, and how it learns that it should stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, TypeAdapter

from medssl.errors import Cancelled

JobState: TypeAlias = Literal["queued", "running", "cancelling", "finished", "failed", "cancelled"]
RowState: TypeAlias = Literal["done", "skipped", "failed", "unfit"]
LogLevel: TypeAlias = Literal["info", "warning", "error"]


def _as_json(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)


# A loss that is NaN must survive the event file, but JSON has no number for it: it is the text "nan" there.
Number: TypeAlias = Annotated[float, PlainSerializer(_as_json, when_used="json")]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    time: Number = Field(default_factory=time.time, description="Seconds since 1970-01-01 UTC.")


class Progress(_Event):
    """How far a stage has come: `done` of `total`, in units of the stage (steps, scans, bytes)."""

    kind: Literal["progress"] = "progress"
    stage: str
    done: Number
    total: Number
    left_s: Number | None = Field(default=None, description="Estimated seconds to the end of the stage.")


class Metric(_Event):
    """One number on a curve: a loss, a Dice coefficient of one class, a learning rate."""

    kind: Literal["metric"] = "metric"
    name: str
    value: Number
    step: int


class Log(_Event):
    """A sentence for a person."""

    kind: Literal["log"] = "log"
    text: str
    level: LogLevel = "info"


class Row(_Event):
    """What became of one scan or case of a job that goes through many: a line of its live table."""

    kind: Literal["row"] = "row"
    name: str
    state: RowState
    volumes_ml: dict[str, Number] = Field(default={}, description="By segment; empty when it failed.")
    uncertainty: Number | None = Field(default=None, description="0 for certain, 1 for uncertain.")
    worst_slice: int | None = Field(default=None, description="Index along z, to look at first.")
    source: str = Field(default="", description="The file or folder of the scan, if it may be told.")
    output: str = Field(default="", description="The segmentation, below the job's output folder.")
    note: str = Field(default="", description="The reason when it failed, or what a person should know.")


class State(_Event):
    """The job entered a state; `error`, `remedy` and `code` are set when it failed."""

    kind: Literal["state"] = "state"
    state: JobState
    error: str = ""
    remedy: str = ""
    code: str = Field(default="", description="The kind of the error, for programs; '' when unknown.")


Event: TypeAlias = Annotated[Progress | Metric | Log | Row | State, Field(discriminator="kind")]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class Monitor:
    """What an operation is given to report to and to ask whether it should stop.

    The default monitor is silent. Give `sink` to receive every event; it is called in the thread that
    reports, so it must be quick and must not raise.
    """

    def __init__(self, sink: Callable[[Event], None] | None = None) -> None:
        self._sink = sink
        self._cancel = threading.Event()

    def emit(self, event: Event) -> None:
        """Hand one event on."""
        if self._sink is not None:
            self._sink(event)

    def progress(self, stage: str, done: float, total: float, left_s: float | None = None) -> None:
        """Report that `done` of `total` of a stage are done."""
        self.emit(Progress(stage=stage, done=done, total=total, left_s=left_s))

    def metric(self, name: str, value: float, step: int) -> None:
        """Report one number on a curve."""
        self.emit(Metric(name=name, value=value, step=step))

    def log(self, text: str, level: LogLevel = "info") -> None:
        """Report a sentence for a person."""
        self.emit(Log(text=text, level=level))

    def failure(self, error: BaseException, with_words: bool = True) -> None:
        """Keep the traceback of an error for an engineer, where there is a place for it.

        Args:
            error: that nobody expected, and that stops only one item of many.
            with_words: also what the error says, which may quote a path or a header.
        """

    def cancel(self) -> None:
        """Ask the operation to stop at the next place where nothing is lost. Safe in a signal handler."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return self._cancel.is_set()

    def check(self) -> None:
        """Raise `Cancelled` when somebody asked to stop."""
        if self.cancelled:
            raise Cancelled()
