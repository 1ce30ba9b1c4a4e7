"""Dice on the validation cases while a network trains, on the plan's own grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medssl.events import Monitor
from medssl.labels import UNANNOTATED
from medssl.learning.cases import TrainingCase
from medssl.learning.convolutions import fast_convolutions
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.shrinking import is_out_of_memory, release_memory
from medssl.learning.sliding import slide


class Validation:
    """Scores a network on cases it does not learn from, and remembers the last scores as `dice`.

    Scores are means over cases of Dice on the plan's grid, without post-processing: a curve to watch, not the
    figure to publish (`medssl.evaluation` has that, on the scans' own grids).
    """

    def __init__(
        self, cases: Sequence[TrainingCase], plan: Plan, device: torch.device, monitor: Monitor
    ) -> None:
        self._cases = cases
        self._plan = plan
        self._device = device
        self._monitor = monitor
        self._told_of_memory = False
        self.dice: dict[str, float] | None = None

    def __call__(self, network: Network, step: int) -> None:
        """Score `network`, and report one metric `dice/NAME` a segment.

        Nothing is reported when somebody asked to stop, or when memory does not suffice, which is told once:
        a training goes on without its curve.
        """
        self.dice = None  # of weights that are no more
        scores = self._scores(network)
        if scores is None:
            return
        means = scores.nanmean(dim=0)
        names = self._plan.label_schema.names
        self.dice = {
            name: float(mean) for name, mean in zip(names, means, strict=True) if bool(mean.isfinite())
        }
        for name, mean in self.dice.items():
            self._monitor.metric(f"dice/{name}", mean, step)

    def _scores(self, network: Network) -> Tensor | None:
        """Dice of each case and segment, `(cases, segments)`."""
        found = []
        for case in self._cases:
            if self._monitor.cancelled:
                return None
            try:
                found.append(self._score(network, case))
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._tell_of_memory(case)
                break
        if len(found) == len(self._cases):
            return torch.stack(found)
        release_memory()  # only here: the error held on to what it had
        return None

    def _tell_of_memory(self, case: TrainingCase) -> None:
        if not self._told_of_memory:
            self._monitor.log(
                f"There is not enough memory to validate on the case {case.name}, so this time there is no "
                "validation Dice; the training goes on.",
                "warning",
            )
        self._told_of_memory = True

    def _score(self, network: Network, case: TrainingCase) -> Tensor:
        assert case.labels is not None
        found = segment(network, case.image.float(), self._plan, self._device)
        truth = case.labels
        known = truth != UNANNOTATED
        scores = []
        for index in range(1, self._plan.network.classes):
            mine, theirs = (found == index) & known, truth == index
            total = mine.sum() + theirs.sum()
            scores.append(2 * (mine & theirs).sum() / total if total else torch.tensor(torch.nan))
        return torch.stack(scores)


@torch.no_grad()
def segment(network: Network, image: Tensor, plan: Plan, device: torch.device) -> Tensor:
    """Segment a prepared image `(C, D, H, W)` on the CPU; returns classes `(D, H, W)` there.

    Args:
        network: on `device`; it looks at windows of the patches' size.
        image: see `slide`.
        plan: patch size and number of classes.
        device: where to compute.
    """

    def forward(windows: Tensor) -> Tensor:
        with fast_convolutions(device):
            logits: Tensor = network(windows, ("segmentation",))["segmentation"]
        return logits.float()

    return slide(image, plan.patch_size, forward, plan.network.classes, device=device).argmax(dim=0)
