"""Several views of one scan: turned a little in four ways, as its neighbours in the scanner would lie."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_TURN_DEG = 12.0
# The axes of a tetrahedron: no direction is favoured, and the four turns have no turn in common.
_AXES = ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))


def turns() -> list[Tensor]:
    """The rotations, `(3, 3)` on (z, y, x) in mm; the transpose of each turns back."""
    return [_rotation(torch.tensor(axis), math.radians(_TURN_DEG)) for axis in _AXES]


def turned(maps: Tensor, rotation: Tensor, spacing_mm: tuple[float, float, float]) -> Tensor:
    """Turn `(C, D, H, W)` about its middle, on its own grid; what comes from beyond it repeats the border.

    Args:
        maps: on the CPU; computed in 32-bit floats, returned in their own type.
        rotation: `(3, 3)`, (z, y, x) in mm.
        spacing_mm: (z, y, x) of the voxels, so that right angles stay right on uneven ones.
    """
    half_mm = torch.tensor(maps.shape[1:]) * torch.tensor(spacing_mm) / 2
    unit = rotation * half_mm / half_mm[:, None]  # from and to -1..1 along each axis
    affine = torch.cat((unit.flip(0, 1), torch.zeros(3, 1)), dim=1)  # torch wants x, y, z
    grid = F.affine_grid(affine[None], [1, 1, *maps.shape[1:]], align_corners=False)
    return torch.cat([_sampled(one[None, None], grid) for one in maps])


def _sampled(one: Tensor, grid: Tensor) -> Tensor:
    found = F.grid_sample(one.float(), grid, padding_mode="border", align_corners=False)
    return found[0].to(one.dtype)


def _rotation(axis: Tensor, angle: float) -> Tensor:
    """Rodrigues' formula."""
    z, y, x = (axis / axis.norm()).tolist()
    cross = torch.tensor([[0.0, -x, y], [x, 0.0, -z], [-y, z, 0.0]])
    return torch.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
