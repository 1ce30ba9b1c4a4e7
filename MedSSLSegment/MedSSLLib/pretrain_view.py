"""The section Pretrain: choices, what the pretraining does now with its curves, and the encoders to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib import choice_box, table_rows
from MedSSLLib.charts import Chart
from MedSSLLib.jobs_track import Track
from MedSSLLib.jobs_view import Jobs, JobsView
from MedSSLLib.learning_choices import Choice, method_title, title_of
from MedSSLLib.pretrain_logic import PretrainLogic, facts_of
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal
from MedSSLLib.train_view import loss_line, loss_lines

if TYPE_CHECKING:
    from medssl.client import Model

    from MedSSLLib.session import Session

_ROWS = 5


class Pretraining(Protocol):
    """What the section needs; `MedSSLLib.pretrain_logic.PretrainLogic` has it."""

    changed: Signal
    progressed: Signal

    @property
    def tasks(self) -> tuple[Choice, ...]:
        """The pretext tasks."""

    @property
    def usual_task(self) -> str:
        """The task to take without a reason for another."""

    @property
    def efforts(self) -> tuple[Choice, ...]:
        """How long to learn."""

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute."""

    @property
    def sources(self) -> tuple[Choice, ...]:
        """What to learn from."""

    @property
    def encoders(self) -> tuple[Model, ...]:
        """The pretrained models."""

    @property
    def chosen_for_training(self) -> str:
        """The model that the next training begins with."""

    @property
    def obstacle(self) -> str:
        """Why nothing can start now."""

    @property
    def track(self) -> Optional[Track]:
        """The pretraining to show."""

    def start(self, task: str, folder: str, effort: str, device: str) -> None:
        """Start a pretraining."""

    def cancel(self) -> None:
        """Ask it to stop."""

    def resume(self) -> None:
        """Go on with it."""

    def use_for_training(self, model: str) -> None:
        """Let the next training begin with an encoder."""


def build(session: Session, folder: Path) -> PretrainView:
    """Make the section; its .ui file is in `folder`."""
    return PretrainView(PretrainLogic(session), session.jobs, folder)


class PretrainView:
    """Shows the logic of the section Pretrain and passes clicks on."""

    def __init__(self, logic: Pretraining, jobs: Jobs, folder: Path) -> None:
        self._logic = logic
        self._attendance = jobs
        self.widget, self.ui = load_ui("Pretrain", folder)
        self.jobs = JobsView(jobs)
        self.ui.jobsGroup.layout().addWidget(self.jobs.widget)
        self._chart = Chart("pretraining", _("Pretraining"), _("Step"), _("Loss"))
        table_rows.prepare(
            self.ui.encodersTable, [_("Encoder"), _("Method"), _("Learned from"), ""], stretched=(1,)
        )
        ui = self.ui
        ui.taskBox.currentTextChanged.connect(lambda *_: self._explain())
        ui.sourceBox.currentTextChanged.connect(lambda *_: self._allow())
        ui.folderEdit.currentPathChanged.connect(lambda *_: self._allow())
        ui.startButton.clicked.connect(lambda *_: self._start())
        ui.cancelButton.clicked.connect(lambda *_: logic.cancel())
        ui.resumeButton.clicked.connect(lambda *_: logic.resume())
        ui.showCurvesButton.clicked.connect(lambda *_: self.show_curves())
        ui.useButton.clicked.connect(lambda *_: self._use())
        ui.encodersTable.itemSelectionChanged.connect(self._allow)
        logic.changed.connect(self._show_choices)
        logic.progressed.connect(self._show_run)
        self._show_choices()
        self._show_run()

    def enter(self) -> None:
        """The person comes to the module."""
        self._attendance.attend()

    def exit(self) -> None:
        """The person goes to another module."""
        self._attendance.leave()

    def close(self) -> None:
        """The module goes, and its chart with it."""
        self._chart.remove()

    def show_curves(self) -> None:
        """Show the curves in a plot view."""
        self._draw()
        self._chart.place()

    def _show_choices(self) -> None:
        logic, ui = self._logic, self.ui
        choice_box.offer(ui.sourceBox, logic.sources)
        choice_box.offer(ui.taskBox, logic.tasks, logic.usual_task)
        choice_box.offer(ui.effortBox, logic.efforts, "balanced")
        choice_box.offer(ui.deviceBox, logic.devices, "auto")
        self._explain()
        self._show_encoders()
        self._allow()

    def _show_encoders(self) -> None:
        ui, encoders = self.ui, self._logic.encoders
        chosen = self._logic.chosen_for_training
        rows = [
            table_rows.Row(
                model.id,
                (
                    title_of(model),
                    method_title(model.method),
                    facts_of(model),
                    "✓" if model.id == chosen else "",
                ),
                model.problem or model.id,
            )
            for model in encoders
        ]
        table_rows.show(ui.encodersTable, rows)
        table_rows.fit_height(ui.encodersTable, _ROWS)
        if rows and not table_rows.chosen_keys(ui.encodersTable):
            table_rows.choose(ui.encodersTable, [rows[0].key])
        ui.encodersTable.visible = ui.useButton.visible = bool(rows)
        ui.encodersLabel.text = (
            _("Pretrained encoders of this project:") if rows else _("No encoder was pretrained yet.")
        )

    def _explain(self) -> None:
        key = choice_box.chosen_key(self.ui.taskBox)
        found = (choice.sentence for choice in self._logic.tasks if choice.key == key)
        self.ui.taskSentenceLabel.text = next(found, "")

    def _allow(self) -> None:
        ui, track, obstacle = self.ui, self._logic.track, self._logic.obstacle
        busy = track is not None and not track.over
        from_folder = choice_box.chosen_key(ui.sourceBox) == "folder"
        ui.folderEdit.visible = ui.folderEditLabel.visible = from_folder
        ui.pretrainObstacleLabel.text = obstacle
        ui.pretrainObstacleLabel.visible = bool(obstacle)
        ready = not from_folder or bool(ui.folderEdit.currentPath)
        ui.startButton.enabled = not obstacle and not busy and ready
        ui.cancelButton.enabled = track is not None and busy and track.state != "cancelling"
        ui.resumeButton.visible = track is not None and track.can_resume
        ui.useButton.enabled = bool(table_rows.chosen_keys(ui.encodersTable))

    def _start(self) -> None:
        ui = self.ui
        from_folder = choice_box.chosen_key(ui.sourceBox) == "folder"
        self._logic.start(
            choice_box.chosen_key(ui.taskBox),
            ui.folderEdit.currentPath if from_folder else "",
            choice_box.chosen_key(ui.effortBox),
            choice_box.chosen_key(ui.deviceBox),
        )

    def _use(self) -> None:
        chosen = table_rows.chosen_keys(self.ui.encodersTable)
        if chosen:
            self._logic.use_for_training(chosen[0])

    def _show_run(self) -> None:
        self._allow()
        track: Any = self._logic.track
        self.ui.runFrame.visible = track is not None
        if track is None:
            return
        self.ui.runTitleLabel.text = f"<b>{method_title(track.method)}</b> · {track.doing}"
        self.ui.runLeftLabel.text = _("{time} left").format(time=track.left) if track.left else ""
        self.ui.runBar.value = round(1000 * track.fraction)
        reason = track.problem or track.job.error
        self.ui.runReasonLabel.text = f"{reason} {track.job.remedy}".strip()
        self.ui.runReasonLabel.visible = bool(reason)
        self.ui.lossLabel.text = loss_line(track)
        self.ui.lossLabel.visible = bool(self.ui.lossLabel.text)
        self._draw()

    def _draw(self) -> None:
        track = self._logic.track
        if track is not None:
            self._chart.draw(loss_lines(track, None))
