"""What a training method is: the heads it needs, the patches it wants, and its losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from medssl.learning.network import HeadName, Network
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from medssl.learning.settings import TrainingSettings


@dataclass(frozen=True)
class Step:
    """One training step, as a method sees it.

    Attributes:
        network: being trained.
        average: moving average of the network's weights; it takes no gradients.
        batch: on the network's device.
        plan: of the data.
        fraction: how much of the training is done, 0..1.
    """

    network: Network
    average: Network
    batch: Batch
    plan: Plan
    fraction: float


class Method(ABC):
    """A way to learn from annotated and unannotated patches. One file, one class, one registry line.

    Attributes:
        name: in settings and requests.
        title: for people.
        heads: that its network has.
        needs_level_sets: whether annotated patches come with their level sets.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    heads: ClassVar[tuple[HeadName, ...]]
    needs_level_sets: ClassVar[bool] = False

    @classmethod
    def of(cls, settings: TrainingSettings) -> Method:
        """Make the method as the settings ask."""
        return cls()

    @abstractmethod
    def unlabelled_patches(self, labelled: int, fraction: float) -> int:
        """How many unannotated patches a batch holds beside `labelled` annotated ones.

        `fraction` is how much of the training is done: a method may begin with none.
        """

    @abstractmethod
    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the weighted terms of the loss, named for the curves; their sum is minimised."""
