"""The section Train: choices, what the training does now, and its curves beside those of an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib import choice_box, table_rows
from MedSSLLib.charts import PALETTE, Chart, Line, color_of
from MedSSLLib.jobs_track import Track
from MedSSLLib.jobs_view import Jobs, JobsView
from MedSSLLib.learning_choices import Choice, method_title
from MedSSLLib.learning_run_view import Run, RunView, RunWidgets, loss_lines
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Segment

    from MedSSLLib.session import Session

_DICE, _LOSS = "dice", "loss"
_SEGMENT_ROWS = 8
_BEFORE = 2  # column of the table of Dice


class Training(Protocol):
    """What the section needs; `MedSSLLib.train_logic.TrainLogic` has it."""

    changed: Signal
    progressed: Signal

    @property
    def run(self) -> Run:
        """The training to show."""

    @property
    def methods(self) -> tuple[Choice, ...]:
        """The methods that can be chosen."""

    @property
    def usual_method(self) -> str:
        """The method to take without a reason for another."""

    @property
    def starts(self) -> tuple[Choice, ...]:
        """What a training can begin with."""

    @property
    def preferred_start(self) -> str:
        """What another section proposed to begin with."""

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The project's segments."""

    @property
    def validation_cases(self) -> Optional[int]:
        """How many cases the Dice is measured on."""

    @property
    def obstacle(self) -> str:
        """Why no training can start now."""

    @property
    def usual_effort(self) -> str:
        """The effort to take without a reason for another."""

    @property
    def usual_device(self) -> str:
        """The device to take without a reason for another."""

    @property
    def baseline(self) -> Optional[Track]:
        """The training to compare it with."""

    def efforts(self, start_from: str) -> tuple[Choice, ...]:
        """How long to train."""

    def start(self, method: str, start_from: str, effort: str, device: str) -> None:
        """Start a training."""

    def resume(self) -> None:
        """Go on with the training."""


def build(session: Session) -> TrainView:
    """Make the section."""
    return TrainView(session.training, session.jobs)


class TrainView:
    """Shows the logic of the section Train and passes clicks on."""

    def __init__(self, logic: Training, jobs: Jobs) -> None:
        self._logic = logic
        self.widget, self.ui = load_ui("Train")
        self._attendance = jobs
        self.jobs = JobsView(jobs)
        self.ui.jobsGroup.layout().addWidget(self.jobs.widget)
        self._run = RunView(_run_widgets(self.ui), logic.run, logic.resume)
        self._preferred = ""
        self._dice = Chart("dice", _("Dice on the validation scans"), _("Step"), _("Dice"), (0.0, 1.0))
        self._loss = Chart("loss", _("Losses"), _("Step"), _("Loss"))
        choice_box.offer(
            self.ui.curveBox,
            [Choice(_DICE, _("Dice")), Choice(_LOSS, _("Losses"))],
        )
        table_rows.prepare(self.ui.diceTable, self._headings(), stretched=(0,), right=(1, 2))
        self.ui.methodBox.currentTextChanged.connect(lambda *_: self._explain())
        self.ui.startBox.currentTextChanged.connect(lambda *_: self._offer_efforts())
        self.ui.startButton.clicked.connect(lambda *_: self._start())
        self.ui.showCurvesButton.clicked.connect(lambda *_: self.show_curves())
        self.ui.curveBox.currentTextChanged.connect(lambda *_: self.show_curves())
        logic.changed.connect(self._show_choices)
        logic.progressed.connect(self._show_training)
        self._show_choices()
        self._show_training()

    def show_curves(self) -> None:
        """Show the chosen curves in a plot view."""
        self._draw()
        (self._dice if choice_box.chosen_key(self.ui.curveBox) == _DICE else self._loss).place()

    def enter(self) -> None:
        """The person comes to the module."""
        self._attendance.attend()

    def exit(self) -> None:
        """The person goes to another module."""
        self._attendance.leave()

    def close(self) -> None:
        """The module goes, and its charts with it."""
        self._dice.remove()
        self._loss.remove()

    def _show_choices(self) -> None:
        logic, ui = self._logic, self.ui
        choice_box.offer(ui.methodBox, logic.methods, logic.usual_method)
        choice_box.offer(ui.startBox, logic.starts)
        if logic.preferred_start != self._preferred:
            self._preferred = logic.preferred_start
            choice_box.choose(ui.startBox, self._preferred)
        choice_box.offer(ui.deviceBox, logic.devices, logic.usual_device)
        self._explain()
        self._offer_efforts()
        self._show_training()

    def _offer_efforts(self) -> None:
        efforts = self._logic.efforts(choice_box.chosen_key(self.ui.startBox))
        choice_box.offer(self.ui.effortBox, efforts, self._logic.usual_effort)

    def _explain(self) -> None:
        sentence = choice_box.chosen_sentence(self.ui.methodBox, self._logic.methods)
        self.ui.methodSentenceLabel.text = sentence

    def _allow(self) -> None:
        obstacle = self._logic.obstacle
        self.ui.trainObstacleLabel.text = obstacle
        self.ui.trainObstacleLabel.visible = bool(obstacle)
        self.ui.startButton.enabled = not obstacle and not self._run.busy

    def _start(self) -> None:
        self._logic.start(
            choice_box.chosen_key(self.ui.methodBox),
            choice_box.chosen_key(self.ui.startBox),
            choice_box.chosen_key(self.ui.effortBox),
            choice_box.chosen_key(self.ui.deviceBox),
        )

    def _show_training(self) -> None:
        self._allow()
        self._run.show()
        track = self._logic.run.track
        if track is not None:
            self._show_dice(track)
            self._draw()

    def _show_dice(self, track: Track) -> None:
        now = track.dice
        self.ui.diceTable.setHorizontalHeaderLabels(self._headings())
        before = {} if self._logic.baseline is None else self._logic.baseline.dice
        rows = [table_rows.Row(name, (name, _last(now.get(name)), _last(before.get(name)))) for name in now]
        table_rows.show(self.ui.diceTable, rows)
        self.ui.diceTable.setColumnHidden(_BEFORE, self._logic.baseline is None)
        table_rows.fit_height(self.ui.diceTable, _SEGMENT_ROWS)
        self.ui.diceTable.visible = bool(now)
        none = self._logic.validation_cases == 0
        self.ui.noValidationLabel.visible = not now
        self.ui.noValidationLabel.text = (
            _("No scan for validation: choose the use 'validation' for an annotated scan to see Dice here.")
            if none
            else _("The Dice on the validation scans comes with the first check.")
        )

    def _headings(self) -> list[str]:
        """Of the table of Dice; the last one says what is compared with."""
        baseline = self._logic.baseline
        return [_("Segment"), _("Dice"), "" if baseline is None else method_title(baseline.method)]

    def _draw(self) -> None:
        track, baseline = self._logic.run.track, self._logic.baseline
        if track is None:
            return
        colors = {each.name: color_of(each.colour) for each in self._logic.segments}
        lines: list[Line] = []
        for number, (name, curve) in enumerate(track.dice.items()):
            color = colors.get(name, PALETTE[number % len(PALETTE)])
            lines.append(Line(name, curve, color))
            if baseline is not None and name in baseline.dice:
                lines.append(
                    Line(_("{name}, before").format(name=name), baseline.dice[name], color, dashed=True)
                )
        self._dice.draw(lines)
        self._loss.draw(loss_lines(track, baseline))


def _run_widgets(ui: Any) -> RunWidgets:
    return RunWidgets(
        frame=ui.trainingFrame,
        title=ui.trainingTitleLabel,
        left=ui.trainingLeftLabel,
        bar=ui.trainingBar,
        reason=ui.trainingReasonLabel,
        loss=ui.lossLabel,
        cancel=ui.cancelButton,
        resume=ui.resumeButton,
    )


def _last(curve: Any) -> str:
    return f"{curve.values[-1]:.3f}" if curve is not None and curve.values else "–"
