"""Contrastive predictive coding: what lies behind what has been seen so far?

After Taleb et al., '3D Self-Supervised Methods for Medical Imaging', NeurIPS 2020, section 3.1, who take the
task of van den Oord et al., arXiv 1807.03748, to volumes. Their code asks about one negative at a time and
in one direction; this is the loss of the papers, over all axes and both directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from medssl.learning.loop import full_precision
from medssl.learning.plan import Plan
from medssl.learning.pretext.base import Embedding, Outcome, Pretext, accuracy
from medssl.learning.pretext.grid import draw_grids
from medssl.learning.pretext.scans import Scans

CELLS = 4
STEPS = 2  # layers that are predicted ahead
TEMPERATURE = 0.1
_SIZE = 128


@dataclass(frozen=True)
class Grids:
    """Patches `(B, 64, C, d, h, w)`, and along which axis 0..2, from which end, they are gone through."""

    patches: Tensor
    axis: int
    backwards: bool


class ContrastivePrediction(Pretext[Grids]):
    """InfoNCE over a 4 x 4 x 4 grid of patches, layer after layer along an axis drawn for each step.

        z = g(f(x)),   c_t = tanh(A z_t + K * c_{t-1})
        L = -mean over s, t, places  log  exp(cos(W_s c_t, z_{t+s}) / tau)
                                          / sum over all z' of the batch of exp(cos(W_s c_t, z') / tau)

    f is the encoder, shared by all patches, g an embedding of 128 numbers and W_s a predictor for each
    number of layers ahead. K is a 3 x 3 convolution in the layer: what c_t has seen is a pyramid that widens
    by one patch with each layer it lies back, the paper's inverted pyramid, and nothing of layers to come.
    The right answer is the patch behind it, s layers ahead; wrong ones are all others of all scans of the
    batch. tau = 0.1. Chance is the log of the number of patches.
    """

    name: ClassVar[str] = "cpc"
    title: ClassVar[str] = "Contrastive predictive coding"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.embedding = Embedding(plan.network, _SIZE)
        self.context = Context(_SIZE)
        self.predictors = nn.ModuleList(nn.Linear(_SIZE, _SIZE) for _ in range(STEPS))

    def draw(self, scans: Scans, generator: Generator, onto: torch.device) -> Grids:
        """Draw grids of different scans, an axis and a direction."""
        patches = draw_grids(scans, self.plan, self.plan.batch_size, CELLS, generator, onto)
        axis, backwards = (int(torch.randint(limit, (), generator=generator)) for limit in (3, 2))
        return Grids(patches, axis, bool(backwards))

    def learn(self, batch: Grids) -> Outcome:
        """The loss, and how often the right patch is the most similar."""
        count = len(batch.patches)
        vectors = self.embedding(self.encoder(batch.patches.flatten(0, 1))[-1])
        layers = in_layers(vectors.unflatten(0, (count, CELLS, CELLS, CELLS)), batch.axis, batch.backwards)
        contexts = self.context(layers)
        # Every patch of the batch has a number; that of the right answer is at its own place.
        numbers = torch.arange(layers[..., 0].numel(), device=layers.device).view(layers.shape[:-1])
        predictions, answers = [], []
        for ahead, predictor in enumerate(self.predictors, start=1):
            predictions.append(predictor(contexts[:-ahead]).flatten(0, 3))
            answers.append(numbers[ahead:].flatten())
        similar = similarities(torch.cat(predictions), layers.flatten(0, 3))
        answer = torch.cat(answers)
        return Outcome({"cpc": info_nce(similar, answer)}, {"accuracy": accuracy(similar, answer)})


class Context(nn.Module):
    """What has been seen up to a layer: c_t = tanh(A z_t + K * c_{t-1}), with mirrored borders."""

    def __init__(self, size: int) -> None:
        super().__init__()
        # Convolutions of one layer; 3D ones, which all memory formats know that the encoder may have.
        self.own = nn.Conv3d(size, size, 1)
        self.before = nn.Conv3d(size, size, (1, 3, 3), padding=(0, 1, 1), padding_mode="reflect", bias=False)

    def forward(self, layers: Tensor) -> Tensor:
        """`(T, B, n, n, E)`, the first layer first, to the same shape."""
        seen: list[Tensor] = []
        for layer in layers.movedim(-1, 2).unsqueeze(3):  # (B, E, 1, n, n) each
            own = self.own(layer)
            seen.append(torch.tanh(own + self.before(seen[-1]) if seen else own))
        return torch.stack(seen).squeeze(3).movedim(2, -1)


def in_layers(grid: Tensor, axis: int, backwards: bool) -> Tensor:
    """`(B, n, n, n, E)` to layers along an axis, first to be seen first: `(n, B, n, n, E)`."""
    layers = grid.movedim(1 + axis, 0)
    return layers.flip(0) if backwards else layers


def similarities(predictions: Tensor, candidates: Tensor) -> Tensor:
    """Cosines over tau of all predictions `(N, E)` with all candidates `(M, E)`, in 32-bit floats."""
    with full_precision(predictions):
        found, offered = F.normalize(predictions.float(), dim=1), F.normalize(candidates.float(), dim=1)
        return found @ offered.T / TEMPERATURE


def info_nce(similar: Tensor, answers: Tensor) -> Tensor:
    """-mean log softmax(similar)[answer] of `(N, M)` similarities and `(N,)` answers."""
    return F.cross_entropy(similar, answers)
