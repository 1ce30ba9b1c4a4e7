"""The training loop, to be read from top to bottom. It never asks which method it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from medssl.errors import DataError
from medssl.events import Monitor
from medssl.learning.cases import TrainingCase
from medssl.learning.checkpoint import TrainingState, random_generator
from medssl.learning.loop import Learners, Loop, Milestones, fresh_state, mixed_precision
from medssl.learning.methods import METHODS, Method, Step
from medssl.learning.network import Network
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from medssl.learning.residence import moved_close, room_for_cases
from medssl.learning.sampling import Augmentation, PatchSampler
from medssl.learning.settings import TrainingSettings

STAGE = "Training"
VALIDATIONS = 10  # validations a training


@dataclass(frozen=True)
class Trained:
    """What a training leaves: the averaged network, and what it took."""

    network: Network
    steps: int
    elapsed_s: float


@dataclass(frozen=True)
class FineTuning:
    """How to treat an encoder that has learned already, while the rest of the network starts from nothing.

    A fresh decoder first sends gradients that would only spoil the encoder: it rests for a moment. Then its
    learning rate rises, as everybody's did at the start (the sawtooth of Wald et al., 'Revisiting MAE
    pre-training for 3D medical image segmentation', CVPR 2025), and stays the smaller one. A longer rest did
    harm, see docs/pretraining.md.

    Attributes:
        rest: part of the training, 0..1, in which the encoder does not change.
        encoder_rate: of its learning rate after that, as part of everybody else's.
    """

    rest: float = 0.02
    encoder_rate: float = 0.3


def train(
    labelled: Sequence[TrainingCase],
    unlabelled: Sequence[TrainingCase],
    plan: Plan,
    settings: TrainingSettings,
    device: torch.device,
    monitor: Monitor,
    *,
    start: Network | None = None,
    fine_tuning: FineTuning | None = None,
    checkpoint: Path | None = None,
    validate: Callable[[Network, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Trained:
    """Train a network and return the moving average of its weights, which is what predicts.

    Args:
        labelled: cases with labels; one is enough.
        unlabelled: cases whose labels, if they have any, are not looked at; may be empty.
        plan: patch size, batch size, network.
        settings: method, budget, seed, learning rate.
        device: where to train; as many of the cases as fit are moved there.
        monitor: told of progress and losses, asked whether to stop.
        start: a network to begin with, heads and shape as the method and plan ask.
        fine_tuning: how to spare the encoder of `start`; None trains all of it alike.
        checkpoint: written every half minute and when cancelled; read when it exists, to go on from there.
        validate: called with the average and the step, ten times a training; the time it takes is not
            the training's.
        clock: of the budget, see `Budget`.

    Raises:
        DataError: no labelled case.
        Cancelled: the person asked to stop; the checkpoint is written.
    """
    if not labelled:
        raise DataError(
            "No case is annotated, so there is nothing to learn from.", "Annotate at least one case."
        )
    method = METHODS[settings.method].of(settings)
    state = _fresh_state(plan, method, settings, device, start, fine_tuning)
    close = moved_close([*labelled, *unlabelled], device, room_for_cases(device))
    batches = _Batches(close[: len(labelled)], close[len(labelled) :], plan, method)
    loop = Loop(state, settings, monitor, stage=STAGE, checkpoint=checkpoint, clock=clock)
    validations = Milestones(VALIDATIONS, loop.budget.fraction)

    for fraction in loop:
        if fine_tuning is not None:
            state.network.encoder.requires_grad_(fraction >= fine_tuning.rest)
        batch = batches.draw(fraction, state.generator, device)
        with mixed_precision(device, plan.coarsest_side):
            losses = method.losses(Step(state.network, state.average, batch, plan, fraction))
        loop.step(losses)
        if validate is not None and validations.passed(loop.budget.fraction):
            with loop.budget.paused(validations.left):
                validate(state.average, state.step)
    return Trained(state.average, state.step, state.elapsed_s)


class _Batches:
    """Draws each step's patches: labelled ones, and as many others as the method asks for at that time."""

    def __init__(
        self,
        labelled: Sequence[TrainingCase],
        unlabelled: Sequence[TrainingCase],
        plan: Plan,
        method: Method,
    ) -> None:
        augmentation = Augmentation()
        self._labelled = PatchSampler(labelled, plan, augmentation, method.needs_level_sets)
        self._unlabelled = PatchSampler(unlabelled, plan, augmentation, with_level_set=False)
        self._has_unlabelled = bool(unlabelled)
        self._size = plan.batch_size
        self._method = method

    def draw(self, fraction: float, generator: torch.Generator, device: torch.device) -> Batch:
        """Draw a step's patches onto a device, when `fraction` of the training, 0..1, is done."""
        count = self._method.unlabelled_patches(self._size, fraction) if self._has_unlabelled else 0
        return Batch(
            labelled=self._labelled.draw(self._size, generator, device),
            unlabelled=self._unlabelled.draw(count, generator, device) if count else None,
        )


def _fresh_state(
    plan: Plan,
    method: Method,
    settings: TrainingSettings,
    device: torch.device,
    start: Network | None,
    fine_tuning: FineTuning | None,
) -> TrainingState[Network]:
    generator = random_generator(settings.seed)
    network = Network(plan.network, method.heads) if start is None else start
    network = network.to(device=device, memory_format=torch.channels_last_3d).train().requires_grad_(True)  # type: ignore[call-overload]  # torch's stubs know 4D only
    everything = [Learners(network.parameters())]
    return fresh_state(
        network, everything if fine_tuning is None else _sparing(network, fine_tuning), settings, generator
    )


def _sparing(network: Network, fine_tuning: FineTuning) -> list[Learners]:
    others: list[nn.Module] = [network.decoder, network.heads]
    return [
        Learners(network.encoder.parameters(), fine_tuning.encoder_rate, fine_tuning.rest),
        *(Learners(part.parameters()) for part in others),
    ]
