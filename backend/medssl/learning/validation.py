"""Dice on the validation cases while a network trains, on the plan's own grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.inferers import sliding_window_inference
from torch import Tensor

from medssl.events import Monitor
from medssl.labels import UNANNOTATED
from medssl.learning.cases import TrainingCase
from medssl.learning.network import Network
from medssl.learning.plan import Plan


class Validation:
    """Scores a network on cases it does not learn from, and remembers the last scores.

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
        self.dice: dict[str, float] | None = None

    def __call__(self, network: Network, step: int) -> None:
        """Score `network`, and report one metric `dice/NAME` a segment; nothing when asked to stop."""
        found = []
        for case in self._cases:
            if self._monitor.cancelled:
                return
            found.append(self._score(network, case))
        scores = torch.stack(found)
        means = scores.nanmean(dim=0)
        names = self._plan.label_schema.names
        self.dice = {
            name: float(mean) for name, mean in zip(names, means, strict=True) if bool(mean.isfinite())
        }
        for name, mean in self.dice.items():
            self._monitor.metric(f"dice/{name}", mean, step)

    @torch.no_grad()
    def _score(self, network: Network, case: TrainingCase) -> Tensor:
        assert case.labels is not None
        found = segment(network, case.image.float().to(self._device), self._plan).cpu()
        truth = case.labels.long()
        known = truth != UNANNOTATED
        scores = []
        for index in range(1, self._plan.network.classes):
            mine, theirs = (found == index) & known, truth == index
            total = mine.sum() + theirs.sum()
            scores.append(2 * (mine & theirs).sum() / total if total else torch.tensor(torch.nan))
        return torch.stack(scores)


def segment(network: Network, image: Tensor, plan: Plan) -> Tensor:
    """Segment a prepared image `(C, D, H, W)`; returns classes `(D, H, W)`."""
    sides = image.shape[1:]
    missing = [max(0, patch - side) for patch, side in zip(plan.patch_size, sides, strict=True)]
    padding = [n for side in reversed(missing) for n in (side // 2, side - side // 2)]
    padded = F.pad(image.unsqueeze(0), padding, mode="replicate")
    logits = sliding_window_inference(
        padded,
        plan.patch_size,
        sw_batch_size=1,
        predictor=lambda x: network(x, ("segmentation",))["segmentation"].float(),
        overlap=0.5,
        mode="gaussian",
    )
    assert isinstance(logits, Tensor)
    first = [side // 2 for side in missing]
    own = logits[0, :, first[0] : first[0] + sides[0], first[1] : first[1] + sides[1]]
    return own[..., first[2] : first[2] + sides[2]].argmax(dim=0)
