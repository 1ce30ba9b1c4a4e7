"""What a pretext task is: heads on the encoder, a batch it draws for itself, and its losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

import torch.nn.functional as F
from torch import Generator, Tensor, device, nn

from medssl.learning.network import Encoder
from medssl.learning.plan import NetworkShape, Plan
from medssl.learning.pretext.scans import Scans

BatchT = TypeVar("BatchT")


@dataclass(frozen=True)
class Outcome:
    """What one step of a pretext task gives.

    Attributes:
        losses: terms of the loss, named for the curves; their sum is minimised.
        figures: what is watched beside them, such as the accuracy of the answers, 0..1.
    """

    losses: dict[str, Tensor]
    figures: dict[str, Tensor] = field(default_factory=dict)


class Pretext(nn.Module, ABC, Generic[BatchT]):
    """A task whose answers the scans themselves give. One file, one class, one registry line.

    It trains the encoder that segmentation uses. Whatever else a task needs, it adds; of all that only the
    encoder is kept in the model.

    Args:
        plan: patch size, spacing and shape of the network.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    least_scans: ClassVar[int] = 1

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.encoder = Encoder(plan.network)

    @abstractmethod
    def draw(self, scans: Scans, generator: Generator, onto: device) -> BatchT:
        """Draw one step's batch onto a device; all randomness comes from `generator` (of the CPU)."""

    @abstractmethod
    def learn(self, batch: BatchT) -> Outcome:
        """Solve the task on a batch."""

    def after_step(self, fraction: float) -> None:
        """Do what follows each optimiser step; `fraction` of the training, 0..1, is done."""
        return

    def trouble(self, outcome: Outcome) -> str | None:
        """Say what is wrong with the training, in a sentence for a person; None while all is well."""
        return None


class Embedding(nn.Module):
    """The coarsest feature map `(N, C, d, h, w)` of a crop as one vector `(N, size)`.

    The map is averaged down to 2 x 2 x 2 cells and not to one: instance normalisation has taken its mean
    away, what it tells is where things are.
    """

    def __init__(self, shape: NetworkShape, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(8 * shape.features[-1], size)

    def forward(self, features: Tensor) -> Tensor:
        """Return the vectors."""
        vectors: Tensor = self.linear(F.adaptive_avg_pool3d(features, 2).flatten(1))
        return vectors


def accuracy(logits: Tensor, answers: Tensor) -> Tensor:
    """The part of `(N, K)` logits whose largest is at the right answer `(N,)`."""
    return (logits.argmax(dim=1) == answers).float().mean()
