"""What a training or a pretraining does now: its state, the time left, its losses, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib.charts import PALETTE, Line
from MedSSLLib.jobs_track import Track
from MedSSLLib.learning_choices import method_title

_MOST_WARNINGS = 3  # shown at once


class Run(Protocol):
    """What is shown; `MedSSLLib.learning_run.LearningRun` has it."""

    @property
    def track(self) -> Optional[Track]:
        """The job to show."""

    def cancel(self) -> None:
        """Ask it to stop."""


@dataclass(frozen=True)
class RunWidgets:
    """The widgets of a section that a run is shown in; `frame` holds all but the buttons."""

    frame: Any
    title: Any
    left: Any
    bar: Any
    reason: Any
    loss: Any
    cancel: Any
    resume: Any


class RunView:
    """Fills the widgets; `resume` is what the button does, which may be more than to resume the job."""

    def __init__(self, widgets: RunWidgets, run: Run, resume: Callable[[], Any]) -> None:
        self._widgets, self._run = widgets, run
        widgets.cancel.clicked.connect(lambda *_: run.cancel())
        widgets.resume.clicked.connect(lambda *_: resume())

    @property
    def busy(self) -> bool:
        """Whether the job runs or waits, so that no other can start."""
        track = self._run.track
        return track is not None and not track.over

    def show(self) -> None:
        """Show what the job does now."""
        widgets, track = self._widgets, self._run.track
        self.allow()
        widgets.frame.visible = track is not None
        if track is None:
            return
        widgets.title.text = f"<b>{method_title(track.method)}</b> · {track.doing}"
        widgets.left.text = _("{time} left").format(time=track.left) if track.left else ""
        # Without a figure to show, the bar moves: a process that starts takes its seconds.
        widgets.bar.maximum = 0 if track.state == "running" and track.progress is None else 1000
        widgets.bar.value = round(1000 * track.fraction)
        reason = track.problem or track.job.error
        widgets.reason.text = f"{reason} {track.job.remedy}".strip() if reason else _warnings(track)
        widgets.reason.visible = bool(widgets.reason.text)
        widgets.loss.text = loss_line(track)
        widgets.loss.visible = bool(widgets.loss.text)

    def allow(self) -> None:
        """Enable the buttons that make sense."""
        widgets, track = self._widgets, self._run.track
        widgets.cancel.enabled = track is not None and self.busy and track.state != "cancelling"
        widgets.resume.enabled = widgets.resume.visible = track is not None and track.can_resume


def _warnings(track: Track) -> str:
    """What the job warned of, the newest last; of many the last ones."""
    told = list(dict.fromkeys(text for text, level in track.notes if level == "warning"))
    left = len(told) - _MOST_WARNINGS
    before = [_("... and {count} more, in the log").format(count=left)] if left > 0 else []
    return "\n".join([*before, *told[-_MOST_WARNINGS:]])


def loss_line(track: Track) -> str:
    """The newest losses in one line."""
    told = [f"{_words(name)} {curve.values[-1]:.3g}" for name, curve in track.losses.items() if curve.values]
    return " · ".join(told)


def loss_lines(track: Track, baseline: Optional[Track] = None) -> list[Line]:
    """The curves of the losses; of an earlier training only the whole loss is compared with."""
    lines = [
        Line(_words(name), curve, PALETTE[number % len(PALETTE)])
        for number, (name, curve) in enumerate(track.losses.items())
    ]
    whole = None if baseline is None else baseline.losses.get("loss")
    if whole is not None:
        lines.append(Line(_("loss, before"), whole, PALETTE[0], dashed=True))
    return lines


def _words(name: str) -> str:
    return name.replace("_", " ")
