"""Rotation: which of ten ways was this cube turned?

After Taleb et al., '3D Self-Supervised Methods for Medical Imaging', NeurIPS 2020, section 3.4, who take the
task of Gidaris et al., ICLR 2018, to volumes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from medssl.learning.appearance import Appearance, change_appearance
from medssl.learning.plan import Plan
from medssl.learning.pretext.base import Embedding, Outcome, Pretext, accuracy
from medssl.learning.pretext.scans import Scans

# (array axes, quarter turns) of each class; class 0 is the cube as it was.
TURNS: tuple[tuple[tuple[int, int], int], ...] = (
    ((0, 1), 0),
    ((0, 1), 1),
    ((0, 1), 2),
    ((0, 1), 3),
    ((1, 2), 3),
    ((1, 2), 2),
    ((1, 2), 1),
    ((0, 2), 3),
    ((0, 2), 2),
    ((0, 2), 1),
)
_CUBES = 4  # cubes for each place in a batch of training: they are cheap, there is no decoder


@dataclass(frozen=True)
class TurnedCubes:
    """Cubes `(B, C, n, n, n)`, and how each was turned `(B,)`: an index into `TURNS`."""

    cubes: Tensor
    turns: Tensor


class Rotation(Pretext[TurnedCubes]):
    """A network that tells how a cube was turned knows which way up an organ is, and so what it looks like.

        L = -(1 / B) sum_b log softmax(h(f(g_{r_b}(x_b))))_{r_b},   r_b uniform over the ten

    g_r are the identity and the turns by 90, 180 and 270 degrees about each of the three axes, f the encoder
    and h a head of two layers. Cubes have equal sides in millimetres and lie inside the scan, so that neither
    a stretched axis nor an empty border betrays the turn; quarter turns need no interpolation that could.
    """

    name: ClassVar[str] = "rotation"
    title: ClassVar[str] = "Rotation"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.head = nn.Sequential(
            Embedding(plan.network, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, len(TURNS))
        )

    def draw(self, scans: Scans, generator: Generator, onto: torch.device) -> TurnedCubes:
        """Draw cubes of different scans, and turn each at random."""
        side, spacing = cube_side(self.plan), torch.tensor(self.plan.spacing_mm)
        chosen = scans.choose(_CUBES * self.plan.batch_size, generator)
        turns = torch.randint(len(TURNS), (len(chosen),), generator=generator)
        cubes = []
        for index, which in zip(chosen, turns.tolist(), strict=True):
            extent_mm = torch.tensor(scans.shape(index)) * spacing
            sides = min(side * float(spacing.max()), float(extent_mm.min())) / spacing
            cube = scans.cut(index, scans.box(index, sides, generator), sides, (side, side, side))
            cubes.append(turn(cube, which).to(onto))
        stacked = change_appearance(torch.stack(cubes), Appearance(), generator)
        return TurnedCubes(stacked, turns.to(onto))

    def learn(self, batch: TurnedCubes) -> Outcome:
        """Cross-entropy over the ten turns; chance is log 10 = 2.30."""
        logits = self.head(self.encoder(batch.cubes)[-1]).float()
        return Outcome(
            {"rotation": F.cross_entropy(logits, batch.turns)},
            {"accuracy": accuracy(logits, batch.turns)},
        )


def turn(cube: Tensor, which: int) -> Tensor:
    """Turn the last three axes of a cube in one of the ten ways."""
    (first, second), quarters = TURNS[which]
    return torch.rot90(cube, quarters, (first - 3, second - 3))


def cube_side(plan: Plan) -> int:
    """Voxels a side of a cube with about as many voxels as a patch, in multiples of the network's divisor."""
    step = max(plan.network.divisor)
    mean = float(math.prod(plan.patch_size) ** (1 / 3))
    return max(2, round(mean / step)) * step
