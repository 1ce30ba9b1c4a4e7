"""Where pretext tasks look: scans one after the other, and boxes in them that show a body and not air."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from medssl.learning.cases import TrainingCase
from medssl.learning.plan import Triple
from medssl.learning.spatial import cut_image, cut_through

BODY_SHARE = 0.5  # of a box that a task looks at
_TRIES = 12  # boxes drawn before the best of them must do
_AIR = 0.1  # of the range of intensities, from the darkest: air and its noise, not a body
_POOLED = 4  # voxels a side of the cells in which body is counted


class Scans:
    """Scans to draw from, their labels never looked at.

    Args:
        cases: prepared; their tensors may be on any device, boxes are cut there.
    """

    def __init__(self, cases: Sequence[TrainingCase]) -> None:
        self._cases = cases
        self._bodies = [body_map(case.image) for case in cases]

    def __len__(self) -> int:
        return len(self._cases)

    def case(self, index: int) -> TrainingCase:
        """Return one scan."""
        return self._cases[index]

    def shape(self, index: int) -> Triple:
        """Return the (D, H, W) of one scan."""
        sides = self._cases[index].image.shape
        return int(sides[1]), int(sides[2]), int(sides[3])

    def choose(self, count: int, generator: Generator) -> list[int]:
        """Choose `count` scans at random, each once before any comes twice."""
        rounds = -(-count // len(self))
        orders = [torch.randperm(len(self), generator=generator) for _ in range(rounds)]
        return [int(index) for index in torch.cat(orders)[:count]]

    def box(self, index: int, sides: Tensor, generator: Generator) -> Tensor:
        """Draw the first corner `(3,)` of a box of `sides` voxels (3,) inside a scan.

        Corners are edges of voxels: voxel i lies between i and i + 1. Boxes that are mostly air are drawn
        again; in a scan that has no better one, the fullest of them is taken. Along an axis on which the scan
        is smaller than the box, the scan is in its middle.
        """
        spare = torch.tensor(self.shape(index), dtype=torch.float32) - sides
        best, most = torch.zeros(3), -1.0
        for _ in range(_TRIES):
            share = torch.rand(3, generator=generator)
            corner = torch.where(spare > 0, share * spare, spare / 2)
            body = self.body_share(index, corner, sides)
            if body > most:
                best, most = corner, body
            if body >= BODY_SHARE:
                break
        return best

    def body_share(self, index: int, corner: Tensor, sides: Tensor) -> float:
        """How much of a box is body and not air, 0..1."""
        body = self._bodies[index]
        ends = torch.tensor(body.shape)
        first = (corner / _POOLED).round().long().clamp_min(0).minimum(ends - 1)
        last = ((corner + sides) / _POOLED).round().long().maximum(first + 1).minimum(ends)
        z, y, x = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return float(body[z, y, x].mean())

    def cut(self, index: int, corner: Tensor, sides: Tensor, size: Triple) -> Tensor:
        """Resample a box of a scan to `size` voxels: `(C, *size)` float32, on the scan's device."""
        case = self.case(index)
        device = case.image.device
        parts = [(torch.arange(n, dtype=torch.float32, device=device) + 0.5) / n for n in size]
        share = torch.stack(torch.meshgrid(*parts, indexing="ij"), dim=-1)
        places = corner.to(device) + share * sides.to(device) - 0.5
        return cut_image(case, cut_through(places, self.shape(index)))[0]


def body_map(image: Tensor) -> Tensor:
    """The share of body, 0..1, in cells of 4 voxels a side, of a prepared image `(C, D, H, W)`.

    Body is what one channel at least shows brighter than a tenth of its range, as prepared images are
    clipped to a robust range.
    """
    low = image.amin(dim=(1, 2, 3), keepdim=True)
    high = image.amax(dim=(1, 2, 3), keepdim=True)
    body = (image > low + _AIR * (high - low)).any(dim=0)
    cell = [min(_POOLED, side) for side in body.shape]
    return F.avg_pool3d(body.float()[None, None], cell, _POOLED, ceil_mode=True)[0, 0].cpu()
