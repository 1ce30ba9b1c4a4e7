"""Jigsaw: in which of a hundred orders were these 27 pieces laid out?

After Taleb et al., '3D Self-Supervised Methods for Medical Imaging', NeurIPS 2020, section 3.3, who take the
task of Noroozi and Favaro, ECCV 2016, to volumes.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import ClassVar, TypeAlias

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from medssl.learning.plan import Plan
from medssl.learning.pretext.base import Embedding, Outcome, Pretext, accuracy
from medssl.learning.pretext.grid import draw_grids
from medssl.learning.pretext.scans import Scans

CELLS = 3
ORDERS_FILE = "jigsaw_orders_v1.json"
_SHOWN = 4  # orders in which one scan's pieces are shown in a step: only the head is asked again


Batch: TypeAlias = tuple[Tensor, Tensor]  # grids `(B, 27, C, d, h, w)`, orders to show each in `(B, S)`


class Jigsaw(Pretext[Batch]):
    """Whoever puts the pieces back in their places knows what belongs where.

        L = -(1 / B) sum_b log softmax(h(f(x_{p_b(1)}), ..., f(x_{p_b(27)})))_b,   p_b one of 100 orders

    x_1..x_27 are the patches of a 3 x 3 x 3 grid, f the encoder, shared by all patches, and h a head on all
    embeddings in the order shown. The hundred orders differ from each other in as many places as could be
    found (see `make_orders`), so that no few pieces decide. As each piece is encoded by itself, one encoding
    is shown in several orders.
    """

    name: ClassVar[str] = "jigsaw"
    title: ClassVar[str] = "Jigsaw puzzle"
    orders: Tensor

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        orders = read_orders()
        self.register_buffer("orders", orders, persistent=False)
        self.embedding = Embedding(plan.network, 64)
        self.head = nn.Sequential(
            nn.LayerNorm(64 * CELLS**3),
            nn.Linear(64 * CELLS**3, 256),
            nn.ReLU(),
            nn.Linear(256, len(orders)),
        )

    def draw(self, scans: Scans, generator: Generator, onto: torch.device) -> Batch:
        """Draw grids of different scans, and the orders to show each in."""
        grids = draw_grids(scans, self.plan, self.plan.batch_size, CELLS, generator, onto)
        shown = torch.randint(len(self.orders), (len(grids), _SHOWN), generator=generator)
        return grids, shown.to(onto)

    def learn(self, batch: Batch) -> Outcome:
        """Cross-entropy over the orders; chance is log 100 = 4.61."""
        grids, shown = batch
        vectors = self.embedding(self.encoder(grids.flatten(0, 1))[-1]).unflatten(0, (len(grids), -1))
        logits = self.head(shuffle(vectors, self.orders[shown]).flatten(2)).flatten(0, 1).float()
        answers = shown.flatten()
        return Outcome({"jigsaw": F.cross_entropy(logits, answers)}, {"accuracy": accuracy(logits, answers)})


def shuffle(pieces: Tensor, orders: Tensor) -> Tensor:
    """Lay out the pieces `(B, 27, E)` in orders `(B, S, 27)`: place i gets piece orders[..., i].

    Returns:
        `(B, S, 27, E)`.
    """
    rows = torch.arange(len(pieces), device=pieces.device)[:, None, None]
    return pieces[rows, orders]


def read_orders() -> Tensor:
    """Read the hundred orders `(100, 27)` that every pretraining uses: an answer means the same in all."""
    file = resources.files("medssl.learning.pretext") / ORDERS_FILE
    return torch.tensor(json.loads(file.read_text(encoding="utf-8")))


def make_orders(count: int = 100, pieces: int = CELLS**3, candidates: int = 2000, seed: int = 0) -> Tensor:
    """Choose orders that differ from each other in many places; how `jigsaw_orders_v1.json` was made.

    Greedy: of `candidates` random orders, the one is taken whose smallest Hamming distance to those taken
    before is largest, and of several the one with the largest mean distance.

    Returns:
        `(count, pieces)`.
    """
    generator = Generator().manual_seed(seed)
    taken = torch.randperm(pieces, generator=generator).unsqueeze(0)
    while len(taken) < count:
        drawn = torch.rand((candidates, pieces), generator=generator).argsort(dim=1)
        distances = (drawn[:, None] != taken[None]).sum(dim=2).double()
        merit = distances.amin(dim=1) + distances.mean(dim=1) / (pieces + 1)
        taken = torch.cat((taken, drawn[merit.argmax()].unsqueeze(0)))
    return taken
