"""The section Pretrain: choices, what the pretraining does now with its curves, and the encoders to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from slicer.i18n import tr as _

from MedSSLLib import choice_box, table_rows
from MedSSLLib.charts import Chart
from MedSSLLib.jobs_view import Jobs, JobsView
from MedSSLLib.learning_choices import Choice, method_title, title_of
from MedSSLLib.learning_run import LearningRun
from MedSSLLib.learning_run_view import RunView, RunWidgets, loss_lines
from MedSSLLib.pretrain_logic import PretrainLogic, facts_of
from MedSSLLib.project_combo import ProjectCombo, Projects
from MedSSLLib.project_logic import ProjectLogic
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Model

    from MedSSLLib.session import Session

_ROWS = 5


class Pretraining(Protocol):
    """What the section needs; `MedSSLLib.pretrain_logic.PretrainLogic` has it."""

    changed: Signal
    run: LearningRun

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
    def usual_effort(self) -> str:
        """The effort to take without a reason for another."""

    @property
    def usual_device(self) -> str:
        """The device to take without a reason for another."""

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

    def start(self, task: str, folder: str, effort: str, device: str) -> None:
        """Start a pretraining."""

    def use_for_training(self, model: str) -> None:
        """Let the next training begin with an encoder."""


class OpenProjects(Projects, Protocol):
    """The open project and those before it; `MedSSLLib.project_logic.ProjectLogic`."""

    def enter(self) -> None:
        """Open the project of last time."""

    def close(self) -> None:
        """The module goes."""


def build(session: Session, folder: Path) -> PretrainView:
    """Make the section; its .ui file is in `folder`."""
    return PretrainView(PretrainLogic(session), ProjectLogic(session), session.jobs, folder)


class PretrainView:
    """Shows the logic of the section Pretrain and passes clicks on."""

    def __init__(self, logic: Pretraining, projects: OpenProjects, jobs: Jobs, folder: Path) -> None:
        self._logic = logic
        self._projects = projects
        self._attendance = jobs
        self.widget, self.ui = load_ui("Pretrain", folder)
        self.jobs = JobsView(jobs)
        self.ui.jobsGroup.layout().addWidget(self.jobs.widget)
        self._chart = Chart("pretraining", _("Pretraining"), _("Step"), _("Loss"))
        table_rows.prepare(self.ui.encodersTable, [_("Encoder"), _("Learned from"), ""], stretched=(0,))
        ui = self.ui
        self._project = ProjectCombo(ui.projectCombo, projects)
        self._run = RunView(_run_widgets(ui), logic.run, logic.run.resume)
        ui.taskBox.currentTextChanged.connect(lambda *_: self._explain())
        ui.sourceBox.currentTextChanged.connect(lambda *_: self._allow())
        ui.folderEdit.currentPathChanged.connect(lambda *_: self._allow())
        ui.startButton.clicked.connect(lambda *_: self._start())
        ui.showCurvesButton.clicked.connect(lambda *_: self.show_curves())
        ui.useButton.clicked.connect(lambda *_: self._use())
        ui.encodersTable.itemSelectionChanged.connect(self._allow)
        logic.changed.connect(self._show_choices)
        logic.run.progressed.connect(self._show_run)
        self._show_choices()
        self._show_run()

    def enter(self) -> None:
        """The person comes to the module."""
        self._attendance.attend()
        self._projects.enter()

    def exit(self) -> None:
        """The person goes to another module."""
        self._attendance.leave()

    def close(self) -> None:
        """The module goes, and its chart with it."""
        self._projects.close()
        self._chart.remove()

    def show_curves(self) -> None:
        """Show the curves in a plot view."""
        self._draw()
        self._chart.place()

    def _show_choices(self) -> None:
        logic, ui = self._logic, self.ui
        choice_box.offer(ui.sourceBox, logic.sources)
        choice_box.offer(ui.taskBox, logic.tasks, logic.usual_task)
        choice_box.offer(ui.effortBox, logic.efforts, logic.usual_effort)
        choice_box.offer(ui.deviceBox, logic.devices, logic.usual_device)
        self._explain()
        self._show_encoders()
        self._allow()

    def _show_encoders(self) -> None:
        ui, encoders = self.ui, self._logic.encoders
        chosen = self._logic.chosen_for_training
        rows = [
            table_rows.Row(
                model.id,
                (title_of(model), facts_of(model), "✓" if model.id == chosen else ""),
                model.problem or f"{title_of(model)} · {method_title(model.method)} · {model.id}",
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
        sentence = choice_box.chosen_sentence(self.ui.taskBox, self._logic.tasks)
        self.ui.taskSentenceLabel.text = sentence

    def _allow(self) -> None:
        ui, obstacle = self.ui, self._logic.obstacle
        from_folder = choice_box.chosen_key(ui.sourceBox) == "folder"
        ui.folderEdit.visible = ui.folderEditLabel.visible = from_folder
        ui.pretrainObstacleLabel.text = obstacle
        ui.pretrainObstacleLabel.visible = bool(obstacle)
        ready = not from_folder or bool(ui.folderEdit.currentPath)
        ui.startButton.enabled = not obstacle and not self._run.busy and ready
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
        self._run.show()
        self._draw()

    def _draw(self) -> None:
        track = self._logic.run.track
        if track is not None:
            self._chart.draw(loss_lines(track))


def _run_widgets(ui: Any) -> RunWidgets:
    return RunWidgets(
        frame=ui.runFrame,
        title=ui.runTitleLabel,
        left=ui.runLeftLabel,
        bar=ui.runBar,
        reason=ui.runReasonLabel,
        loss=ui.lossLabel,
        cancel=ui.cancelButton,
        resume=ui.resumeButton,
    )
