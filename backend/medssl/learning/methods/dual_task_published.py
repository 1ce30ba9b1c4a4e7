"""Dual-task consistency with its published losses, to the letter where the letter is known.

Luo et al., 'Semi-supervised Medical Image Segmentation through Dual-task Consistency', AAAI 2021, and the
authors' code. Network, softmax over the classes and AdamW are those of all methods here; the authors have a
V-Net with batch normalisation, a sigmoid and SGD. Kept to compare with; `dual_task` is the form to use.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from medssl.labels import UNANNOTATED
from medssl.learning.distance import official_level_set
from medssl.learning.methods.base import Method, Step
from medssl.learning.network import HeadName

SHARPNESS = 1500.0  # k of eq. 3; its sign is in `task_transform`
LEVEL_SET_WEIGHT = 0.3  # beta
CONSISTENCY_WEIGHT = 1.0  # lambda_max of the code; the paper says 0.1
_SMOOTH = 1e-5


class DualTaskPublished(Method):
    """Both heads of one network pull each other together on every patch.

        L = L_seg + beta L_sdf + lambda(t) L_con
        L_seg = 1 - (2 sum(p g) + s) / (sum(p^2) + sum(g^2) + s)      annotated, over the whole batch
        L_sdf = mean (z - s)^2                                        annotated, normalised in the patch
        L_con = mean (T(z) - p)^2,   T(z) = sigmoid(-1500 z)          all patches
        lambda(t) = lambda_max exp(-5 (1 - t)^2),   t in 0..1

    With several classes, each has a level set and a probability of its own, and terms are their means.
    Voxels of 255, which the authors do not have, count nowhere in the annotated terms.
    """

    name: ClassVar[str] = "dual_task_published"
    title: ClassVar[str] = "Dual-task consistency, as published"
    heads: ClassVar[tuple[HeadName, ...]] = ("segmentation", "level_set")

    def unlabelled_patches(self, labelled: int, fraction: float) -> int:
        """As many as annotated ones, from the start."""
        return labelled

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the terms `segmentation`, `level_set` and `consistency`."""
        patches = step.batch.labelled
        images = patches.image
        if step.batch.unlabelled is not None:
            images = torch.cat((images, step.batch.unlabelled.image))
        output = step.network(images)
        probabilities = output["segmentation"].float().softmax(dim=1)[:, 1:]
        level_sets = output["level_set"].float()
        count = len(patches)
        truth, known = _truth(patches.labels, level_sets.shape[1])
        target = _published_targets(truth)
        return {
            "segmentation": squared_dice_loss(probabilities[:count] * known, truth),
            "level_set": LEVEL_SET_WEIGHT
            * ((level_sets[:count] - target) ** 2 * known).sum()
            / (known.sum() * target.shape[1]).clamp_min(1.0),
            "consistency": consistency_weight(step.fraction) * task_consistency(level_sets, probabilities),
        }


def task_transform(level_set: Tensor) -> Tensor:
    """T(z) = sigmoid(-1500 z), in 32-bit floats: 1 inside (z < 0), 0 outside, 0.5 on the border."""
    return torch.sigmoid(-SHARPNESS * level_set.float())


def task_consistency(level_sets: Tensor, probabilities: Tensor) -> Tensor:
    """L_con: mean squared difference of transformed level sets and probabilities; gradients reach both."""
    return F.mse_loss(task_transform(level_sets), probabilities.float())


def consistency_weight(fraction: float) -> float:
    """lambda(t), rising from lambda_max e^-5 to lambda_max with the part of the training that is done."""
    return CONSISTENCY_WEIGHT * math.exp(-5 * (1 - min(max(fraction, 0.0), 1.0)) ** 2)


def squared_dice_loss(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Dice loss with squared denominators over the whole batch, mean over the F classes `(B, F, D, H, W)`."""
    axes = (0, 2, 3, 4)
    overlap = (probabilities * truth).sum(dim=axes)
    total = (probabilities**2).sum(dim=axes) + (truth**2).sum(dim=axes)
    return (1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH)).mean()


def _truth(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """One-hot foreground `(B, F, D, H, W)` and the annotated voxels `(B, 1, D, H, W)`."""
    known = (labels != UNANNOTATED).unsqueeze(1)
    onehot = F.one_hot(torch.where(known[:, 0], labels, 0), classes + 1).movedim(-1, 1)[:, 1:]
    return (onehot * known).float(), known.float()


def _published_targets(truth: Tensor) -> Tensor:
    """Level sets of the patches themselves, each side scaled by its own largest distance."""
    masks = truth.bool().cpu().numpy()
    maps = [[official_level_set(mask) for mask in patch] for patch in masks]
    # The published quotient is 0 / 0 in a patch full of the structure; there is no border, so nothing to say.
    return torch.from_numpy(np.nan_to_num(np.array(maps, dtype=np.float32))).to(truth.device)
