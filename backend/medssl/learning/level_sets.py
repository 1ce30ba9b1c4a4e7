"""From level sets to class probabilities: the task transform of dual-task consistency."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

RISE_VOXELS = 2.0  # the task transform rises over two voxels, so that gradients reach both sides of a border


def class_probabilities(level_set: Tensor, sharpness: Sequence[float]) -> Tensor:
    """Turn level sets into a distribution over classes, in 32-bit floats.

        a_f = sigmoid(-k_f z_f),   a_0 = prod(1 - a_f),   q = a / sum(a)

    For one foreground class q_1 = sigmoid(-k z), the published transform T (Luo et al., AAAI 2021, eq. 3);
    the product extends it to several, which would otherwise not sum to one.

    Args:
        level_set: `(B, F, D, H, W)` in [-1, 1], negative inside.
        sharpness: k of each class, positive; see `sharpness_over`.

    Returns:
        `(B, F + 1, D, H, W)`, background first.
    """
    k = torch.tensor(sharpness, device=level_set.device, dtype=torch.float32).view(1, -1, 1, 1, 1)
    inside = torch.sigmoid(-k * level_set.float())
    outside = (1 - inside).prod(dim=1, keepdim=True)
    joined = torch.cat((outside, inside), dim=1)
    return joined / joined.sum(dim=1, keepdim=True).clamp_min(1e-6)


def sharpness_over(
    voxels: float, spacing_mm: Sequence[float], saturation_mm: Sequence[float]
) -> tuple[float, ...]:
    """Return the k for which the transform rises from 0.02 to 0.98 over `voxels` voxels of the finest axis.

    The published k = 1500 rises over a hundredth of a voxel: beyond it no gradient reaches the level set.
    """
    finest = min(spacing_mm)
    return tuple(8.0 / (voxels * finest / saturation) for saturation in saturation_mm)
