"""The training loop, to be read from top to bottom. It never asks which method it runs."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from medssl.errors import DataError
from medssl.events import Monitor
from medssl.learning.budget import Budget
from medssl.learning.cases import TrainingCase
from medssl.learning.checkpoint import TrainingState, load_checkpoint, random_generator, save_checkpoint
from medssl.learning.methods import METHODS, Method, Step
from medssl.learning.network import Network
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from medssl.learning.sampling import Augmentation, PatchSampler
from medssl.learning.settings import TrainingSettings

STAGE = "Training"
CHECKPOINT_S = 30.0  # between checkpoints: what a kill can cost
REPORTS = 200  # progress reports a training
VALIDATIONS = 10  # validations a training
WARM_UP = 0.02  # part of the training over which the learning rate rises
AVERAGED = 0.05  # part of the training that the moving average of the weights looks back on
WEIGHT_DECAY = 1e-2
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Trained:
    """What a training leaves: the averaged network, and what it took."""

    network: Network
    steps: int
    elapsed_s: float


def train(
    labelled: Sequence[TrainingCase],
    unlabelled: Sequence[TrainingCase],
    plan: Plan,
    settings: TrainingSettings,
    device: torch.device,
    monitor: Monitor,
    *,
    start: Network | None = None,
    checkpoint: Path | None = None,
    validate: Callable[[Network, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    augmentation: Augmentation | None = None,
) -> Trained:
    """Train a network and return the moving average of its weights, which is what predicts.

    Args:
        labelled: cases with labels; one is enough.
        unlabelled: cases whose labels, if they have any, are not looked at; may be empty.
        plan: patch size, batch size, network.
        settings: method, budget, seed, learning rate.
        device: where to train; the cases' tensors may be elsewhere.
        monitor: told of progress and losses, asked whether to stop.
        start: a network to begin with, heads and shape as the method and plan ask.
        checkpoint: written every half minute and when cancelled; read when it exists, to go on from there.
        validate: called with the average and the step, ten times a training.
        clock: of the budget, see `Budget`.
        augmentation: how patches are changed.

    Raises:
        DataError: no labelled case.
        Cancelled: the person asked to stop; the checkpoint is written.
    """
    if not labelled:
        raise DataError(
            "No case is annotated, so there is nothing to learn from.", "Annotate at least one case."
        )
    method = METHODS[settings.method]()
    state = _fresh_state(plan, method, settings, device, start)
    if checkpoint is not None and load_checkpoint(checkpoint, state):
        monitor.log(f"Going on from step {state.step}.")
    with_level_set = "level_set" in method.heads
    draw_labelled = PatchSampler(labelled, plan, augmentation or Augmentation(), with_level_set)
    draw_unlabelled = PatchSampler(unlabelled, plan, augmentation or Augmentation(), with_level_set=False)
    budget = Budget(settings, clock, state.step, state.elapsed_s)
    reporter = _Reporter(monitor, budget)
    validated = math.floor(budget.fraction * VALIDATIONS)
    saved = time.monotonic()

    while budget.fraction < 1:
        fraction = budget.fraction
        for group in state.optimiser.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(fraction)
        count = method.unlabelled_patches(plan.batch_size, fraction) if unlabelled else 0
        batch = Batch(
            labelled=draw_labelled.draw(plan.batch_size, state.generator, device),
            unlabelled=draw_unlabelled.draw(count, state.generator, device) if count else None,
        )
        losses = _step(state, method, Step(state.network, state.average, batch, plan, fraction), device)
        budget.count()
        state.step, state.elapsed_s = budget.step, budget.elapsed_s
        reporter.report(losses)
        if validate is not None and math.floor(budget.fraction * VALIDATIONS) > validated:
            validated = math.floor(budget.fraction * VALIDATIONS)
            validate(state.average, state.step)
        stop = monitor.cancelled
        if checkpoint is not None and (stop or time.monotonic() - saved > CHECKPOINT_S):
            save_checkpoint(checkpoint, state)
            saved = time.monotonic()
        if stop:
            monitor.check()
    return Trained(state.average, state.step, state.elapsed_s)


def learning_rate_factor(fraction: float) -> float:
    """Rise linearly over the first 2 %, then fall as (1 - t) ** 0.9, as nnU-Net's schedule does."""
    return float(min(1.0, (fraction + 1e-3) / WARM_UP) * (1 - fraction) ** 0.9)


def _fresh_state(
    plan: Plan, method: Method, settings: TrainingSettings, device: torch.device, start: Network | None
) -> TrainingState:
    generator = random_generator(settings.seed)
    network = Network(plan.network, method.heads) if start is None else start
    network = network.to(device=device, memory_format=torch.channels_last_3d).train().requires_grad_(True)  # type: ignore[call-overload]  # torch's stubs know 4D only
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=WEIGHT_DECAY)
    return TrainingState(network, average, optimiser, generator)


def _step(state: TrainingState, method: Method, step: Step, device: torch.device) -> dict[str, Tensor]:
    """Take one optimiser step and update the average; returns the terms of the loss and their sum."""
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        terms = method.losses(step)
    total = torch.stack(list(terms.values())).sum()
    state.optimiser.zero_grad(set_to_none=True)
    total.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), LARGEST_GRADIENT)
    state.optimiser.step()
    _update_average(state)
    return {name: value.detach() for name, value in {"loss": total, **terms}.items()}


@torch.no_grad()
def _update_average(state: TrainingState) -> None:
    """Move the average towards the network so that it always looks back on the same part of the training.

    A fixed decay fits one length of run; 1 / (1 + 0.05 t) forgets at the pace the training goes on.
    """
    weight = 1 / (1 + AVERAGED * (state.step + 1))
    torch._foreach_lerp_(list(state.average.parameters()), list(state.network.parameters()), weight)


class _Reporter:
    """Reports progress and mean losses now and then, so that a long training stays a readable file."""

    def __init__(self, monitor: Monitor, budget: Budget) -> None:
        self._monitor = monitor
        self._budget = budget
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._next = budget.fraction

    def report(self, losses: dict[str, Tensor]) -> None:
        """Take in one step's losses; every half percent of the training, tell the monitor their means."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, value.new_zeros(())) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        budget = self._budget
        if budget.fraction < self._next and budget.fraction < 1:
            return
        self._next = budget.fraction + 1 / REPORTS
        done, total = float(budget.step), float(budget.expected_steps)
        self._monitor.progress(STAGE, done, total, budget.left_s)
        for name, value in self._sums.items():
            mean = float(value) / self._counts[name]
            if not math.isfinite(mean):
                raise DataError(
                    f"The training diverged at step {budget.step}: {name} is {mean}.",
                    "Start it again with a smaller learning rate.",
                )
            self._monitor.metric(name, mean, budget.step)
        self._sums, self._counts = {}, {}
