"""Losses that more than one method uses.

Logits are `(B, K, D, H, W)`; labels are `(B, D, H, W)` class indices, 255 where nobody looked.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from medssl.labels import UNANNOTATED

_SMOOTH = 1e-5


def dice_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """1 - soft Dice over the whole batch, mean over the foreground classes that the batch holds.

        1 - 2 sum(p g) / (sum(p) + sum(g))

    Sums run over all patches together (batch Dice), which is steadier than per patch when structures are
    small. A class that no label of the batch shows is left out: with every true voxel unknown or elsewhere,
    its quotient would only push probabilities down, which cross-entropy does better.

    Args:
        probabilities: `(B, K, D, H, W)`, background first.
        labels: `(B, D, H, W)`; voxels of 255 count nowhere.
    """
    known = (labels != UNANNOTATED).unsqueeze(1)
    # Faster than one_hot, whose 64-bit integers are of the size of the network's finest features.
    truth = torch.stack([labels == index for index in range(1, probabilities.shape[1])], dim=1).float()
    found = (probabilities[:, 1:] * known).float()
    overlap = (truth * found).sum(dim=(0, 2, 3, 4))
    total = truth.sum(dim=(0, 2, 3, 4)) + found.sum(dim=(0, 2, 3, 4))
    present = truth.sum(dim=(0, 2, 3, 4)) > 0
    if not present.any():
        return probabilities.sum() * 0.0
    return (1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH))[present].mean()


def cross_entropy(logits: Tensor, labels: Tensor, balance: float = 0.0) -> Tensor:
    """Mean cross-entropy over the voxels that are not 255; zero when there are none.

    Args:
        logits: `(B, K, D, H, W)`.
        labels: `(B, D, H, W)`.
        balance: class c with n_c voxels in the batch weighs n_c ** -balance: 0 treats voxels alike, 1 treats
            classes alike. Between them, a small structure is found early without its border being pushed out.
    """
    known = labels != UNANNOTATED
    if not known.any():
        return logits.sum() * 0.0
    weights = None
    if balance > 0:
        counts = torch.bincount(labels[known], minlength=logits.shape[1]).clamp_min(1).float()
        weights = counts**-balance
    return F.cross_entropy(logits.float(), labels, weight=weights, ignore_index=UNANNOTATED)


def segmentation_loss(logits: Tensor, labels: Tensor, balance: float = 0.0) -> Tensor:
    """Dice loss plus cross-entropy, in 32-bit floats."""
    return dice_loss(logits.float().softmax(dim=1), labels) + cross_entropy(logits, labels, balance)
