"""Dual-task consistency: two descriptions of one structure, class and signed distance, must agree.

After Luo et al., 'Semi-supervised Medical Image Segmentation through Dual-task Consistency', AAAI 2021. The
idea is theirs; the form below is what held with one or two annotated scans. `dual_task_published` is theirs
to the letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from medssl.labels import UNANNOTATED
from medssl.learning.level_sets import RISE_VOXELS, class_probabilities, sharpness_over
from medssl.learning.losses import dice_loss, segmentation_loss
from medssl.learning.methods.base import Method, Step
from medssl.learning.network import HeadName

LEVEL_SET_WEIGHT = 0.3  # beta of the paper
ABSENT_WEIGHT = 0.1  # of a class that a patch does not show: its level set is +1 everywhere
CONSISTENCY_WEIGHT = 0.5
START, RAMP = 0.5, 0.3  # in parts of the training: when the consistency sets in, and how long it rises
SHARE = 0.5  # unannotated patches for each annotated one


class DualTask(Method):
    """Both tasks on annotated patches; on the others, what both tasks of the average agree on.

    The published loss lets both heads of one network pull each other together, on whatever they share. Here
    the moving average of the network looks at the plain patch, and where its two tasks name the same class,
    that class is the target for both tasks of the network, which sees the patch with another appearance.
    Where they disagree nothing is asked.

        L = L_seg + beta L_level_set + lambda(t) d L_con
        L_con = CE(p, c) + Dice(p, c) + Dice(T(z), c),
        c = argmax p' where that is argmax T(z'), else unknown; and unknown beyond the scan

    d is the Dice of the worst class on the annotated patches of the same step: guesses are trusted as far as
    what is known has been learned.

    Attributes:
        start: when the consistency sets in, in parts of the training.
        ramp: how long its weight rises, in parts of the training.
        share: unannotated patches for each annotated one.
    """

    name: ClassVar[str] = "dual_task"
    title: ClassVar[str] = "Dual-task consistency"
    heads: ClassVar[tuple[HeadName, ...]] = ("segmentation", "level_set")
    needs_level_sets: ClassVar[bool] = True
    start: ClassVar[float] = START
    ramp: ClassVar[float] = RAMP
    share: ClassVar[float] = SHARE

    def unlabelled_patches(self, labelled: int, fraction: float) -> int:
        """The share of the annotated ones, at least one, once the consistency has set in."""
        return max(1, int(self.share * labelled)) if fraction >= self.start else 0

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the terms `segmentation`, `level_set` and, once it has set in, `consistency`."""
        patches, others = step.batch.labelled, step.batch.unlabelled
        # One pass for all patches: instance normalisation keeps them apart, and a larger batch is faster.
        images = patches.image if others is None else torch.cat((patches.image, others.image))
        output = step.network(images)
        logits, level_sets = output["segmentation"], output["level_set"]
        known = slice(0, len(patches))
        terms = {
            "segmentation": segmentation_loss(logits[known], patches.labels),
            "level_set": LEVEL_SET_WEIGHT
            * level_set_loss(level_sets[known], patches.level_set, patches.labels),
        }
        if others is not None:
            weight = CONSISTENCY_WEIGHT * min(1.0, (step.fraction - self.start) / self.ramp)
            trust = worst_dice(logits[known].detach(), patches.labels)
            guessed = slice(len(patches), None)
            sharpness = sharpness_over(RISE_VOXELS, step.plan.spacing_mm, step.plan.level_set_mm)
            agreed = agreed_classes(step.average(others.plain), sharpness)
            target = torch.where(others.inside, agreed, UNANNOTATED)
            transformed = class_probabilities(level_sets[guessed], sharpness)
            consistency = segmentation_loss(logits[guessed], target) + dice_loss(transformed, target)
            terms["consistency"] = weight * trust * consistency
        return terms


@torch.no_grad()
def agreed_classes(output: dict[HeadName, Tensor], sharpness: Sequence[float]) -> Tensor:
    """The classes `(B, D, H, W)` on which both tasks of an output agree, 255 where they do not."""
    by_class = output["segmentation"].max(dim=1).indices  # several times as fast as argmax
    by_distance = class_probabilities(output["level_set"], sharpness).max(dim=1).indices
    return torch.where(by_class == by_distance, by_class, UNANNOTATED)


def level_set_loss(found: Tensor, truth: Tensor | None, labels: Tensor) -> Tensor:
    """Mean squared error of level sets over annotated voxels, `ABSENT_WEIGHT` for classes a patch lacks.

    Args:
        found: `(B, F, D, H, W)`.
        truth: the same, NaN where a distance is unknown; None is a mistake of the caller.
        labels: `(B, D, H, W)`, 255 where nobody looked.
    """
    if truth is None:
        raise ValueError("The level-set loss needs patches with level sets.")
    known = (labels != UNANNOTATED).unsqueeze(1) & truth.isfinite()
    present = (truth < 0).flatten(2).any(dim=2)[:, :, None, None, None]
    weight = known * torch.where(present, 1.0, ABSENT_WEIGHT)
    difference = found.float() - truth.nan_to_num()
    return (weight * difference**2).sum() / weight.sum().clamp_min(1e-6)


def worst_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Soft Dice of the foreground class that fares worst in the batch, 0..1; 0 when there is none."""
    known = (labels != UNANNOTATED).unsqueeze(1)
    truth = F.one_hot(torch.where(known[:, 0], labels, 0), logits.shape[1]).movedim(-1, 1) * known
    found = logits.float().softmax(dim=1) * known
    axes = (0, 2, 3, 4)
    present = truth.sum(dim=axes) > 0
    dice = 2 * (truth * found).sum(dim=axes) / (truth.sum(dim=axes) + found.sum(dim=axes)).clamp_min(1e-6)
    present[0] = False
    return dice[present].min() if present.any() else dice.new_zeros(())
