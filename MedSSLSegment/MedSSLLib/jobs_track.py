"""What one job has reported so far, put together from its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Optional

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from medssl.client import Event, Job

DICE = "dice/"  # what the engine writes before a segment's name in the name of its curve
LOSS = "loss"  # the curve of the whole loss; its terms have names of their own
_NOTES = 500  # sentences that are kept; the log has them all


@dataclass
class Curve:
    """A figure over the steps of a training."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: int, value: float) -> None:
        """Take in one point; a training that goes on from a checkpoint takes back what lies beyond it."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            self.values.pop()
        self.steps.append(step)
        self.values.append(value)


class Track:
    """A job, and everything that it reported.

    Attributes:
        job: as the engine described it last.
        state: of the job; what the events say is newer than `job`.
        progress: the last one; None before the first.
        curves: by the engine's names, such as 'loss' or 'dice/Kidney'.
        notes: sentences with their level, the oldest first.
        rows: of a job that goes through scans or cases: what became of each, by its name.
        last: number of the last event that was taken in.
        whole: whether it is over, and nothing that it reported is missing here.
        problem: why its events cannot be read; empty while they can.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.state = job.state
        self.progress: Optional[Event] = job.progress
        self.curves: dict[str, Curve] = {}
        self.notes: list[tuple[str, str]] = []
        self.rows: dict[str, Event] = {}
        self.last = 0
        self.whole = False
        self.problem = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen unless it is resumed."""
        return self.state in ("finished", "failed", "cancelled", "interrupted")

    @property
    def can_resume(self) -> bool:
        """Whether it can go on from what it kept."""
        return self.state in ("failed", "cancelled", "interrupted")

    def describe(self, job: Job) -> None:
        """Take what the engine says of the job now."""
        if job.ended != self.job.ended:  # it went on, perhaps while nobody listened
            self.whole = False
        self.job = job
        self.state = job.state
        if self.progress is None:
            self.progress = job.progress

    def take(self, event: Event) -> None:
        """Take in one event; the same one again changes nothing."""
        if event.number <= self.last:
            return
        self.last = event.number
        if event.kind == "progress":
            self.progress = event
        elif event.kind == "metric":
            self.curves.setdefault(event.name, Curve()).add(event.step, event.value)
        elif event.kind == "log":
            self.notes.append((event.text, event.level))
            del self.notes[:-_NOTES]
        elif event.kind == "row":
            self.rows[event.name] = event
        elif event.kind == "state":
            self.state = event.state

    @property
    def dice(self) -> dict[str, Curve]:
        """The curves of Dice on the validation cases, by segment."""
        return {name[len(DICE) :]: curve for name, curve in self.curves.items() if name.startswith(DICE)}

    @property
    def losses(self) -> dict[str, Curve]:
        """The curves of the loss and of its terms; the whole loss comes first."""
        found = {name: curve for name, curve in self.curves.items() if "/" not in name}
        return dict(sorted(found.items(), key=lambda item: item[0] != LOSS))

    @property
    def fraction(self) -> float:
        """How much of what it does now is done, 0..1."""
        if self.state == "finished":
            return 1.0
        if self.progress is None or not self.progress.total:
            return 0.0
        return min(1.0, self.progress.done / self.progress.total)

    @property
    def title(self) -> str:
        """What kind of job it is, in words."""
        return kind_title(self.job.kind)

    @property
    def method(self) -> str:
        """The method of a training or pretraining; empty for other jobs."""
        settings = (self.job.request or {}).get("settings") or {}
        return str(settings.get("method", ""))

    @property
    def doing(self) -> str:
        """What it does at this moment, in a few words."""
        words = state_words(self.state)
        if self.state == "running" and self.progress is None:
            return str(_("getting ready"))
        if self.state not in ("running", "cancelling") or self.progress is None:
            return words
        told = self.progress
        stage = _STAGES.get(told.stage, told.stage)
        if stage == self.title:  # said already
            stage = "step"
        text = f"{_(stage)} {told.done:,.0f} / {told.total:,.0f}"
        return text if self.state == "running" else f"{text} ({words})"

    @property
    def left(self) -> str:
        """How long the stage will still take, in words; empty when nobody knows."""
        if self.state != "running" or self.progress is None or self.progress.left_s is None:
            return ""
        return duration(self.progress.left_s)


_KINDS = {
    "train": "Training",
    "pretrain": "Pretraining",
    "propose": "Proposals",
    "predict": "Segmentation of scans",
    "import": "Import",
    "evaluate": "Evaluation",
    "export_model": "Export of a model",
    "import_model": "Import of a model",
    "export_project": "Export of the project",
    "benchmark": "Benchmark",
}
_STATES = {
    "queued": "waiting",
    "running": "running",
    "cancelling": "stopping",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "cancelled",
    "interrupted": "interrupted",
}
# Stages that the engine names for programs.
_STAGES = {
    "propose": "Proposing",
    "segment": "Segmenting",
    "evaluate": "Scoring",
    "export": "Exporting",
    "report": "Writing the report",
}


def kind_title(kind: str) -> str:
    """Say in words what kind of job it is."""
    return str(_(_KINDS.get(kind, kind.replace("_", " ").capitalize())))


def state_words(state: str) -> str:
    """Say in words what state a job is in."""
    return str(_(_STATES.get(state, state)))


def moment(created: str) -> str:
    """Show a time that the engine gives in UTC as a clock on the wall does."""
    # Python 3.9 reads no 'Z' and no fractions of any length.
    found = datetime.fromisoformat(created[:19]).replace(tzinfo=timezone.utc)
    return found.astimezone().strftime("%d %b %H:%M")


def duration(seconds: float) -> str:
    """Say how long something takes, as exactly as a person wants to know it."""
    if seconds < 90:
        return str(_("{count} s").format(count=max(1, round(seconds))))
    if seconds < 5400:
        return str(_("{count} min").format(count=round(seconds / 60)))
    hours, minutes = divmod(round(seconds / 60), 60)
    return str(_("{hours} h {minutes} min").format(hours=hours, minutes=minutes))
