"""Pretraining: from scans that nobody annotated to an encoder that has seen what scans look like."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import torch
from torch import nn

import medssl
from medssl.errors import DataError
from medssl.events import Monitor
from medssl.imaging.scans import find_scans
from medssl.learning.cases import TrainingCase, load_cases, memory_for_cases
from medssl.learning.checkpoint import random_generator
from medssl.learning.device import choose_device
from medssl.learning.folder_cases import load_scans, plan_for_scans
from medssl.learning.job_model import keep_model, model_made
from medssl.learning.kept_cases import (
    cases_now,
    in_random_order,
    keep_cases,
    keep_scans,
    kept_cases,
    kept_scans,
)
from medssl.learning.loop import Learners, Loop, Milestones, fresh_state, mixed_precision
from medssl.learning.model import ModelCard
from medssl.learning.network import Encoder
from medssl.learning.plan import Plan
from medssl.learning.planner import read_plan, write_plan
from medssl.learning.pretext import PRETEXTS, Scans
from medssl.learning.project_plan import Planned, plan_for
from medssl.learning.residence import moved_close, room_for_cases
from medssl.learning.settings import PretrainingSettings
from medssl.learning.shrinking import within_memory
from medssl.learning.training import CHECKPOINT, PLAN
from medssl.project import Project
from medssl.words import counted

STAGE = "Pretraining"
CHECKS = 10  # how often a pretraining is asked whether it is well


@dataclass(frozen=True)
class Pretrained:
    """What a pretraining leaves: the encoder, its weights averaged, and what it took."""

    encoder: Encoder
    steps: int
    elapsed_s: float


def pretrain(
    cases: Sequence[TrainingCase],
    plan: Plan,
    settings: PretrainingSettings,
    device: torch.device,
    monitor: Monitor,
    *,
    checkpoint: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Pretrained:
    """Train an encoder by a pretext task and return the moving average of its weights.

    Args:
        cases: their labels, if they have any, are not looked at.
        plan: patch size, batch size, network.
        settings: task, budget, seed, learning rate.
        device: where to train; as many of the cases as fit are moved there.
        monitor: told of progress, losses and trouble, asked whether to stop.
        checkpoint: written every half minute and when cancelled; read when it exists, to go on from there.
        clock: of the budget, see `Budget`.

    Raises:
        DataError: fewer scans than the task needs.
        Cancelled: the person asked to stop; the checkpoint is written.
    """
    kind = PRETEXTS[settings.method]
    if len(cases) < kind.least_scans:
        raise DataError(
            f"{kind.title} needs {counted(kind.least_scans, 'scan')} or more, but there are {len(cases)}.",
            "Add scans, or choose another task.",
        )
    generator = random_generator(settings.seed)
    task = kind(plan).to(device=device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stubs know 4D only
    learners = [Learners(p for p in task.parameters() if p.requires_grad)]
    state = fresh_state(task, learners, settings, generator)
    scans = Scans(moved_close(cases, device, room_for_cases(device)))
    loop = Loop(state, settings, monitor, stage=STAGE, checkpoint=checkpoint, clock=clock)
    checks = Milestones(CHECKS, loop.budget.fraction)

    for _ in loop:
        batch = task.draw(scans, generator, device)
        with mixed_precision(device):
            outcome = task.learn(batch)
        loop.step(outcome.losses, outcome.figures)
        task.after_step(loop.budget.fraction)
        if checks.passed(loop.budget.fraction):
            trouble = task.trouble(outcome)
            if trouble is not None:
                monitor.log(trouble, "warning")
    return Pretrained(state.average.encoder, state.step, state.elapsed_s)


def pretrain_project(
    project: Project,
    settings: PretrainingSettings,
    folder: Path,
    monitor: Monitor,
    *,
    scans: Path | None = None,
    name: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Pretrain on the cases of a project, or on the scans of any folder; returns the id of the model in it.

    For the project's cases, the plan is the one that a training would make. It, which scans are used,
    and a checkpoint are kept in `folder`; a second call with the same folder goes on from there, with the
    same scans. Where memory does not suffice, the plan shrinks.

    Args:
        project: which gets the model, and whose training cases are looked at, annotated or not.
        settings: task, budget, seed, learning rate, device.
        folder: of the job.
        monitor: told of progress and of scans passed over, asked whether to stop.
        scans: look at these instead: a folder of images or DICOM series, searched with all folders in it,
            each of them one channel. Label maps, and what cannot be read, are passed over.
        name: of the model, for people; the task's title when empty.
        clock: of the budget, see `Budget`.

    Raises:
        DataError: fewer scans than the task needs.
        ImageError: there is no folder `scans`.
        Cancelled: the person asked to stop; a checkpoint is kept.
    """
    model_id = model_made(project, folder)
    if model_id is None:
        if scans is None:
            plan, cases = _cases_of(project, folder, monitor)
        else:
            plan, cases = _cases_in(scans, folder, monitor)
        pretrained, plan = _within_memory(cases, plan, settings, folder, monitor, clock)
        # Under the names that the encoder has in a `Network`.
        network = nn.ModuleDict({"encoder": pretrained.encoder})
        card = partial(_card, name, settings, len(cases), pretrained)
        model_id = keep_model(project, folder, network, plan, card)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return model_id


def _cases_of(project: Project, folder: Path, monitor: Monitor) -> tuple[Plan, list[TrainingCase]]:
    began = kept_cases(project, folder, monitor) if (folder / CHECKPOINT).exists() else None
    cases = began or cases_now(project)
    if not cases.training:
        raise DataError(
            f"The project {project.folder} has no case with the role 'training'.", "Add cases first."
        )
    planned = _plan(folder, lambda: plan_for(project, cases.training, monitor))
    loaded = load_cases(
        project,
        planned.readable(cases.training),
        planned.plan,
        monitor,
        with_level_set=False,
        memory_bytes=memory_for_cases(resumed=began is not None),
    )
    keep_cases(folder, cases.only({case.name for case in loaded}).scans_alone)
    return planned.plan, loaded


def _cases_in(scans: Path, folder: Path, monitor: Monitor) -> tuple[Plan, list[TrainingCase]]:
    found = find_scans(scans)
    began = kept_scans(found, scans, folder, monitor) if (folder / CHECKPOINT).exists() else None
    plan = _plan(folder, lambda: Planned(plan_for_scans(found, scans, monitor))).plan
    order = in_random_order(found) if began is None else began
    loaded = load_scans(order, plan, monitor, memory_for_cases(resumed=began is not None))
    names = {case.name for case in loaded}
    keep_scans(folder, [scan for scan in order if scan.name in names], scans)
    return plan, loaded


def _plan(folder: Path, make: Callable[[], Planned]) -> Planned:
    """Take the plan of the interrupted job, or make one."""
    path = folder / PLAN
    if path.exists():
        return Planned(read_plan(path))
    planned = make()
    write_plan(path, planned.plan)
    return planned


def _within_memory(
    cases: Sequence[TrainingCase],
    plan: Plan,
    settings: PretrainingSettings,
    folder: Path,
    monitor: Monitor,
    clock: Callable[[], float],
) -> tuple[Pretrained, Plan]:
    device = choose_device(settings.device)

    def attempt(affordable: Plan) -> Pretrained:
        return pretrain(
            cases, affordable, settings, device, monitor, checkpoint=folder / CHECKPOINT, clock=clock
        )

    return within_memory(plan, attempt, lambda smaller: write_plan(folder / PLAN, smaller), monitor)


def _card(
    name: str, settings: PretrainingSettings, scans: int, pretrained: Pretrained, model_id: str
) -> ModelCard:
    return ModelCard(
        id=model_id,
        name=name or PRETEXTS[settings.method].title,
        method=settings.method,
        heads=(),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        medssl_version=medssl.__version__,
        annotated_cases=0,
        unannotated_cases=scans,
        steps=pretrained.steps,
        seconds=round(pretrained.elapsed_s, 1),
        seed=settings.seed,
    )
