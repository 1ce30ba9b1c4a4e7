"""What goes on around the steps of every training: budget, learning rate, reports, checkpoints, stopping."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import torch
from torch import Generator, Tensor, nn

from medssl.errors import DataError
from medssl.events import Monitor
from medssl.learning.budget import Budget
from medssl.learning.checkpoint import ModuleT, TrainingState, load_checkpoint, save_checkpoint
from medssl.learning.device import knows_bfloat16
from medssl.learning.settings import RunSettings

CHECKPOINT_S = 30.0  # between checkpoints: what a kill can cost
REPORTS = 200  # progress reports a training
WARM_UP = 0.02  # part of the training over which the learning rate rises
AVERAGED = 0.05  # part of the training that the moving average of the weights looks back on
WEIGHT_DECAY = 1e-2
LARGEST_GRADIENT = 1.0
LEAST_BFLOAT16_SIDE = 4  # voxels, on processors, see `mixed_precision`


@dataclass(frozen=True)
class Learners:
    """Parameters that learn at a pace of their own.

    Attributes:
        parameters: what learns.
        rate: of learning, as part of the settings' learning rate.
        begin: when it begins, in parts of the training; its rate rises from there.
    """

    parameters: Iterable[nn.Parameter]
    rate: float = 1.0
    begin: float = 0.0


def fresh_state(
    network: ModuleT, learners: Iterable[Learners], settings: RunSettings, generator: Generator
) -> TrainingState[ModuleT]:
    """Put a network, on its device, at the start of a training with AdamW."""
    groups = [
        {
            "params": list(group.parameters),
            "initial_lr": settings.learning_rate * group.rate,  # torch's name for what schedules multiply
            "begin": group.begin,
        }
        for group in learners
    ]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=WEIGHT_DECAY)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    return TrainingState(network, average, optimiser, generator)


class Loop(Generic[ModuleT]):
    """Iterating gives, before each step, how much of the training is done, 0..1.

    The body of the loop computes losses and hands them to `step`; the rest happens here. A checkpoint is read
    when it exists, written every half minute and when somebody asked to stop.

    Args:
        state: network, average, optimiser and random numbers; brought to where the checkpoint was.
        settings: budget and learning rate.
        monitor: told of progress and losses, asked whether to stop.
        stage: what progress is reported as.
        checkpoint: file to go on from and to write.
        clock: of the budget, see `Budget`.
    """

    def __init__(
        self,
        state: TrainingState[ModuleT],
        settings: RunSettings,
        monitor: Monitor,
        *,
        stage: str,
        checkpoint: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if checkpoint is not None and load_checkpoint(checkpoint, state):
            monitor.log(f"Going on from step {state.step}.")
        self.state = state
        self.budget = Budget(settings, clock, state.step, state.elapsed_s)
        self._monitor = monitor
        self._checkpoint = checkpoint
        self._reporter = _Reporter(monitor, self.budget, stage)

    def __iter__(self) -> Iterator[float]:
        saved = time.monotonic()
        while self.budget.fraction < 1:
            fraction = self.budget.fraction
            for group in self.state.optimiser.param_groups:
                group["lr"] = group["initial_lr"] * learning_rate_factor(fraction, group["begin"])
            yield fraction
            stop = self._monitor.cancelled
            if self._checkpoint is not None and (stop or time.monotonic() - saved > CHECKPOINT_S):
                save_checkpoint(self._checkpoint, self.state)
                saved = time.monotonic()
            if stop:
                self._monitor.check()
        # Losses are looked at now and then, and this is what all of it was for.
        if not all(bool(weights.isfinite().all()) for weights in self.state.average.parameters()):
            raise _diverged(self.budget.step, "the weights are no numbers")

    def step(self, losses: Mapping[str, Tensor], figures: Mapping[str, Tensor] | None = None) -> None:
        """Take one optimiser step down the sum of `losses`, and count and report it.

        Args:
            losses: terms of the loss, named for the curves.
            figures: what is watched beside them, such as an accuracy.

        Raises:
            DataError: a loss is no longer a number.
        """
        state = self.state
        total = torch.stack(list(losses.values())).sum()
        state.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), LARGEST_GRADIENT)
        state.optimiser.step()
        _update_average(state)
        self.budget.count()
        state.step, state.elapsed_s = self.budget.step, self.budget.elapsed_s
        watched = {"loss": total, **losses, **(figures or {})}
        self._reporter.report({name: value.detach() for name, value in watched.items()})


class Milestones:
    """Says, of a training, when another of so many equal parts of it is done.

    Args:
        count: how many parts.
        fraction: how much is done already, 0..1, where a checkpoint was.
    """

    def __init__(self, count: int, fraction: float) -> None:
        self._count = count
        self._passed = math.floor(fraction * count)

    def passed(self, fraction: float) -> bool:
        """Whether a part came to its end since this was last asked."""
        before, self._passed = self._passed, math.floor(fraction * self._count)
        return self._passed > before

    @property
    def left(self) -> int:
        """How many parts had not come to their end when this was last asked."""
        return self._count - self._passed


def mixed_precision(device: torch.device, coarsest_side: int = 0) -> torch.autocast:
    """Compute in bfloat16 where that is faster and exact enough: on GPUs, and on processors that know it.

    With one core of an EPYC that does, a step of the network for processors takes 0.10 s instead of 0.15; on
    a processor that does not, torch would imitate it and take longer.

    Args:
        device: where to compute.
        coarsest_side: least side, in voxels, of the coarsest features. Where it is below 4, processors
            compute in 32 bits: oneDNN's gradient of convolutions over two or three voxels in bfloat16 reads
            memory that nobody wrote (torch 2.13), and is at times not a number.
    """
    enabled = knows_bfloat16(device) and (device.type == "cuda" or coarsest_side >= LEAST_BFLOAT16_SIDE)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def full_precision(like: Tensor) -> torch.autocast:
    """Compute in 32-bit floats inside `mixed_precision`: for cosines that a small temperature divides."""
    return torch.autocast(like.device.type, enabled=False)


def learning_rate_factor(fraction: float, begin: float = 0.0) -> float:
    """Rise linearly over 2 % of the training, then fall as (1 - t) ** 0.9, as nnU-Net's schedule does.

    Args:
        fraction: t, how much of the training is done, 0..1.
        begin: where the rise begins, 0..1. Before it the factor is 0. What begins later needs its own rise:
            the first steps of AdamW change every weight by the whole learning rate.
    """
    rise = (fraction - begin + 1e-3) / WARM_UP if fraction >= begin else 0.0
    return float(min(1.0, rise) * (1 - fraction) ** 0.9)


@torch.no_grad()
def _update_average(state: TrainingState[ModuleT]) -> None:
    """Move the average towards the network so that it always looks back on the same part of the training.

    A fixed decay fits one length of run; 1 / (1 + 0.05 t) forgets at the pace the training goes on.
    """
    weight = 1 / (1 + AVERAGED * (state.step + 1))
    torch._foreach_lerp_(list(state.average.parameters()), list(state.network.parameters()), weight)


def _diverged(step: int, how: str) -> DataError:
    return DataError(
        f"The training diverged at step {step}: {how}.",
        "Start it again with another seed; if that does not help, choose another method.",
    )


class _Reporter:
    """Reports progress and mean losses now and then, so that a long training stays a readable file."""

    def __init__(self, monitor: Monitor, budget: Budget, stage: str) -> None:
        self._monitor = monitor
        self._budget = budget
        self._stage = stage
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._next = budget.fraction

    def report(self, values: dict[str, Tensor]) -> None:
        """Take in one step's values; every half percent of the training, tell the monitor their means."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, value.new_zeros(())) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        budget = self._budget
        if budget.fraction < self._next and budget.fraction < 1:
            return
        self._next = budget.fraction + 1 / REPORTS
        done, total = float(budget.step), float(budget.expected_steps)
        self._monitor.progress(self._stage, done, total, budget.left_s)
        for name, value in self._sums.items():
            mean = float(value) / self._counts[name]
            if not math.isfinite(mean):
                raise _diverged(budget.step, f"{name} is {mean}")
            self._monitor.metric(name, mean, budget.step)
        self._sums, self._counts = {}, {}
