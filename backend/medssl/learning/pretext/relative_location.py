"""Relative location: on which of its 26 sides does this patch lie?

After Taleb et al., '3D Self-Supervised Methods for Medical Imaging', NeurIPS 2020, section 3.2, who take the
task of Doersch et al., ICCV 2015, to volumes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from medssl.learning.plan import Plan
from medssl.learning.pretext.base import Embedding, Outcome, Pretext, accuracy
from medssl.learning.pretext.grid import draw_grids
from medssl.learning.pretext.scans import Scans

CELLS = 3
CENTRE = 13  # of the 27 patches, z slowest, x fastest
NEIGHBOURS = tuple(index for index in range(CELLS**3) if index != CENTRE)


class RelativeLocation(Pretext[Tensor]):
    """To say where one patch lies from another, both must be recognised as parts of one anatomy.

        L = -(1 / 26) sum_j log softmax(h(f(x_c), f(x_j)))_j,   j = 1..26

    x_c is the centre of a grid of 3 x 3 x 3 patches and x_j its neighbours, f the encoder, shared by all
    patches, and h a head on both embeddings. The paper draws one neighbour; as all patches of a grid are at
    hand, all 26 questions are asked. Patches lie at random in their cells, never touch, and have intensities
    of their own, so that neither an edge nor a brightness that goes on betrays the answer.
    """

    name: ClassVar[str] = "relative_location"
    title: ClassVar[str] = "Relative location"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.embedding = Embedding(plan.network, 128)
        self.head = nn.Sequential(nn.LayerNorm(256), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 26))

    def draw(self, scans: Scans, generator: Generator, onto: torch.device) -> Tensor:
        """Draw grids `(B, 27, C, d, h, w)` of different scans."""
        return draw_grids(scans, self.plan, self.plan.batch_size, CELLS, generator, onto)

    def learn(self, batch: Tensor) -> Outcome:
        """Cross-entropy over the 26 neighbours; chance is log 26 = 3.26."""
        count = len(batch)
        vectors = self.embedding(self.encoder(batch.flatten(0, 1))[-1]).unflatten(0, (count, -1))
        others = vectors[:, NEIGHBOURS]
        centres = vectors[:, CENTRE : CENTRE + 1].expand_as(others)
        logits = self.head(torch.cat((centres, others), dim=-1)).flatten(0, 1).float()
        answers = torch.arange(len(NEIGHBOURS), device=batch.device).repeat(count)
        return Outcome(
            {"relative_location": F.cross_entropy(logits, answers)}, {"accuracy": accuracy(logits, answers)}
        )
