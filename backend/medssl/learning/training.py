"""From a project to a model in it: plan, cases, training, and what is kept of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import torch

import medssl
from medssl.errors import DataError
from medssl.events import Monitor
from medssl.learning.ancestry import line_of
from medssl.learning.card import TrainingScans
from medssl.learning.cases import TrainingCase, load_cases, memory_for_cases
from medssl.learning.device import choose_device
from medssl.learning.job_model import keep_model, model_made
from medssl.learning.kept_cases import JobCases, cases_now, keep_cases, kept_cases
from medssl.learning.methods import METHODS
from medssl.learning.model import CARD, ModelCard, Weights, read_weights
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.planner import read_plan, write_plan
from medssl.learning.project_plan import Planned, plan_for, plan_to_begin_with
from medssl.learning.settings import TrainingSettings
from medssl.learning.shrinking import within_memory
from medssl.learning.trainer import FineTuning, Trained, train
from medssl.learning.training_scans import look_at_scans
from medssl.learning.transfer import Transfer, transfer
from medssl.learning.validation import Validation
from medssl.project import Case, Project

PLAN, CHECKPOINT = "plan.json", "checkpoint.safetensors"


def train_project(
    project: Project,
    settings: TrainingSettings,
    folder: Path,
    monitor: Monitor,
    *,
    name: str = "",
    start_from: str | None = None,
    adapt_channels: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Train on the annotated cases of a project, on the others as the method asks; returns the model's id.

    Cases of the role `validation` are never trained on: their Dice is shown while the network trains and
    kept in the card. The plan, which cases are used, and a checkpoint are kept in `folder`; a second call
    with the same folder goes on from there, with the same cases and versions of their annotations. Where
    memory does not suffice, the plan shrinks and the training goes on.

    Args:
        project: whose cases to train on and which gets the model.
        settings: method, budget, seed, learning rate, device.
        folder: of the job.
        monitor: told of progress, asked whether to stop.
        name: of the model, for people; the method's title when empty.
        start_from: a model to begin with, pretrained or trained: the id of one of this project, 'latest' or
            the folder of any. How it sees data is kept; which of its tensors were loaded is logged. What is
            new in the network learns first, see `FineTuning`.
        adapt_channels: begin with a model of another number of channels as well, see `transfer`.
        clock: of the budget, see `Budget`.

    Raises:
        DataError: no annotated case, or a segment that no annotation shows.
        ModelError: `start_from` does not fit the project; the message says what differs.
        Cancelled: the person asked to stop; a checkpoint is kept.
    """
    model_id = model_made(project, folder)
    if model_id is None:
        started = read_weights(_model_folder(project, start_from)) if start_from is not None else None
        begun_from = () if started is None else line_of(project, started.card)
        material = _gather(project, settings, folder, started, monitor)
        start, taken = _begin_with(started, material.plan, settings, adapt_channels)
        if taken is not None:
            taken.report(monitor)
        fine_tuning = None if taken is None or taken.segments else FineTuning()
        attempt = _Attempt(material, settings, start, fine_tuning, folder / CHECKPOINT, monitor, clock)
        done, plan = within_memory(
            material.plan, attempt, lambda smaller: write_plan(folder / PLAN, smaller), monitor
        )
        card = partial(_card, name, settings, material, done, begun_from)
        model_id = keep_model(project, folder, done.trained.network, plan, card)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return model_id


@dataclass(frozen=True)
class _Material:
    """What a training learns from and is judged on, prepared, and the plan it was prepared by."""

    plan: Plan
    labelled: Sequence[TrainingCase]
    unlabelled: Sequence[TrainingCase]
    validated: Sequence[TrainingCase]
    scans: TrainingScans | None


@dataclass(frozen=True)
class _Done:
    """A training that fitted in memory."""

    trained: Trained
    validation_dice: dict[str, float] | None


@dataclass(frozen=True)
class _Attempt:
    """A training that may turn out to need too much memory, and is tried again with a smaller plan."""

    material: _Material
    settings: TrainingSettings
    start: Network | None
    fine_tuning: FineTuning | None
    checkpoint: Path
    monitor: Monitor
    clock: Callable[[], float]

    def __call__(self, plan: Plan) -> _Done:
        """Train, from the checkpoint when there is one."""
        material, device = self.material, choose_device(self.settings.device)
        validation = None
        if material.validated:
            validation = Validation(material.validated, plan, device, self.monitor)
        trained = train(
            material.labelled,
            material.unlabelled,
            plan,
            self.settings,
            device,
            self.monitor,
            start=copy.deepcopy(self.start),
            fine_tuning=self.fine_tuning,
            checkpoint=self.checkpoint,
            validate=validation,
            clock=self.clock,
        )
        if validation is not None and validation.dice is None:  # the last one was cut short
            validation(trained.network, trained.steps)
        return _Done(trained, None if validation is None else validation.dice)


def _gather(
    project: Project, settings: TrainingSettings, folder: Path, started: Weights | None, monitor: Monitor
) -> _Material:
    """Plan, and prepare the cases that the method looks at."""
    method = METHODS[settings.method]
    began = _cases_it_began_with(project, folder, monitor)
    cases = began or cases_now(project)
    planned = _plan(project, cases.training, folder, started, monitor)
    plan = planned.plan
    labelled = load_cases(project, cases.annotated, plan, monitor, with_level_set=method.needs_level_sets)
    _check_segments(labelled, plan)
    unlabelled: Sequence[TrainingCase] = ()
    if any(method().unlabelled_patches(plan.batch_size, fraction) for fraction in (0.0, 1.0)):
        unlabelled = load_cases(
            project,
            planned.readable(cases.unannotated),
            plan,
            monitor,
            with_level_set=False,
            memory_bytes=memory_for_cases(resumed=began is not None),
        )
    validated = load_cases(project, cases.validation, plan, monitor, with_level_set=False)
    if not validated:
        monitor.log("No annotated case has the role 'validation', so there is no validation Dice to show.")
    used = cases.only({case.name for case in (*labelled, *unlabelled)})
    keep_cases(folder, used)
    scans = look_at_scans((c.channels for c in used.training), plan.channel_names, plan.normalisation)
    return _Material(plan, labelled, unlabelled, validated, scans)


def _cases_it_began_with(project: Project, folder: Path, monitor: Monitor) -> JobCases | None:
    """The cases of an interrupted training; None for one that has learned nothing yet.

    Without a checkpoint nothing is to be gone on with, and what kept the training from beginning may have
    been put right since.
    """
    began = kept_cases(project, folder, monitor) if (folder / CHECKPOINT).exists() else None
    if began is None:
        project.check_trainable()
    elif not began.annotated:
        raise DataError(
            "Of the annotated cases that the training began with, none is used for training any more.",
            "Use one of them for training again, or start a new training.",
        )
    return began


def _plan(
    project: Project, cases: Sequence[Case], folder: Path, started: Weights | None, monitor: Monitor
) -> Planned:
    """Take the plan of the interrupted job, or of the model to begin with, or make a new one."""
    path = folder / PLAN
    if path.exists():
        plan = read_plan(path)
        _tell_what_came_later(project, plan, monitor)
        return Planned(plan)
    if started is None:
        planned = plan_for(project, cases, monitor)
    else:
        planned = plan_to_begin_with(project, cases, started, monitor)
    write_plan(path, planned.plan)
    return planned


def _tell_what_came_later(project: Project, plan: Plan, monitor: Monitor) -> None:
    """Tell of segments that the project has and an interrupted training had not."""
    later = [s.name for s in project.schema.segments if s.value not in plan.label_schema.values]
    if later:
        monitor.log(
            f"{' and '.join(later)} came to the project after this training began, which goes on without. "
            "Start a new training to learn it.",
            "warning",
        )


def _model_folder(project: Project, start_from: str) -> Path:
    folder = Path(start_from)
    return folder if (folder / CARD).is_file() else project.model(start_from).folder


def _check_segments(labelled: Sequence[TrainingCase], plan: Plan) -> None:
    """Refuse to train a class of which resampling left no voxel: the network would only learn to deny it."""
    shown = set[int]()
    for case in labelled:
        assert case.labels is not None
        shown |= set(case.labels.unique().tolist())
    missing = [name for index, name in enumerate(plan.label_schema.names, start=1) if index not in shown]
    if missing:
        raise DataError(
            f"The annotations show too little of {' and '.join(missing)}: at the spacing of the training, "
            f"{' x '.join(f'{mm:.3g}' for mm in reversed(plan.spacing_mm))} mm, no voxel of it is left.",
            "Draw more of it, or take the segment out of the label schema (medssl project schema).",
        )


def _begin_with(
    started: Weights | None, plan: Plan, settings: TrainingSettings, adapt_channels: bool
) -> tuple[Network | None, Transfer | None]:
    """Make a network of the method's heads with what the model to begin with has for it."""
    if started is None:
        return None, None
    torch.manual_seed(settings.seed)
    network = Network(plan.network, METHODS[settings.method].heads)
    return network, transfer(started, network, plan, adapt_channels=adapt_channels)


def _card(
    name: str,
    settings: TrainingSettings,
    material: _Material,
    done: _Done,
    begun_from: tuple[str, ...],
    model_id: str,
) -> ModelCard:
    return ModelCard(
        id=model_id,
        name=name or METHODS[settings.method].title,
        method=settings.method,
        heads=done.trained.network.head_names,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        medssl_version=medssl.__version__,
        annotated_cases=len(material.labelled),
        unannotated_cases=len(material.unlabelled),
        steps=done.trained.steps,
        seconds=round(done.trained.elapsed_s, 1),
        seed=settings.seed,
        started_from=begun_from[0] if begun_from else None,
        begun_from=begun_from,
        validation_dice=done.validation_dice,
        scans=material.scans,
    )
