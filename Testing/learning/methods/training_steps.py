"""One step of a training, as a method sees it, and what it did to the networks."""

from __future__ import annotations

import torch
from medssl.learning.cases import TrainingCase
from medssl.learning.methods.base import Method, Step
from medssl.learning.network import Network
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from medssl.learning.sampling import Augmentation, PatchSampler

_CPU = torch.device("cpu")


def make_step(method: type[Method], annotated: TrainingCase, other: TrainingCase, plan: Plan) -> Step:
    """Make the last step of a training: two patches of an annotated case, one of another, fresh networks."""
    torch.manual_seed(0)
    network = Network(plan.network, method.heads)
    generator = torch.Generator().manual_seed(0)
    distances = "level_set" in method.heads
    labelled = PatchSampler([annotated], plan, Augmentation(), distances).draw(2, generator, _CPU)
    unlabelled = PatchSampler([other], plan, Augmentation(), False).draw(1, generator, _CPU)
    average = Network(plan.network, method.heads).eval().requires_grad_(False)
    return Step(network, average, Batch(labelled, unlabelled), plan, fraction=1.0)


def gradient(network: Network, part: str) -> float:
    """How strongly the losses pull at the weights whose names hold `part`."""
    return sum(
        float(p.grad.abs().sum()) for n, p in network.named_parameters() if part in n and p.grad is not None
    )
