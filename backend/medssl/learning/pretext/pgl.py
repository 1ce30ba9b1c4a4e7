"""PGL: two views of one place must have the same local features.

After Xie et al., 'PGL: Prior-Guided Local Self-supervised Learning for 3D Medical Image Segmentation', arXiv
2011.12640. How to match the views follows from how they were cut; the aligner computes it and learns nothing.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from medssl.learning.appearance import Appearance, change_appearance
from medssl.learning.plan import Plan
from medssl.learning.pretext.base import Outcome, Pretext
from medssl.learning.pretext.scans import Scans

LEAST_OVERLAP = 0.3  # of the smaller view's volume
MOMENTUM = 0.99  # of the target's average, at the start; 1 at the end
LEVELS = 2  # coarsest levels of the encoder that are compared: one alone would match few cells
CELLS = 6  # places a side at which the views are compared
COLLAPSED = 0.1  # of the spread that evenly used channels have
_HIDDEN, _SIZE = 256, 128
_ZOOM = (1.1, 1.4)  # a view's box against the patch, where the scan is large enough
_LARGEST = (0.7, 1.0)  # a view's box against the scan, where it is not
_TRIES = 20


@dataclass(frozen=True)
class Views:
    """One view of each of B scans.

    Attributes:
        images: `(B, C, D, H, W)`, the box resampled to the patch size, flipped, with intensities of its own.
        low, high: `(B, 3)` corners (z, y, x) of the box in the scan, in voxels; edges, not centres.
        flipped: `(B, 3)` along which axes the image was flipped after it was cut.
    """

    images: Tensor
    low: Tensor
    high: Tensor
    flipped: Tensor


class PriorGuidedLocal(Pretext[tuple[Views, Views]]):
    """An online network predicts, place by place, what a slowly following target sees in another view.

        L = 1/2 [ D(q(g(f(x1))), g'(f'(x2))) + D(q(g(f(x2))), g'(f'(x1))) ]
        D(a, b) = mean over places p of |a^(w_p) - b^(w_p)|^2 = mean (2 - 2 cos)

    a^ and b^ have length 1 at each place w_p of a grid over the views' overlap, on which the aligner samples
    both maps. f is the encoder, g a projector and q a predictor, all of them maps to maps (no pooling, the
    paper's structure-aware heads; group in place of batch normalisation, for small batches). f' and g' are
    moving averages of f and g, through which no gradient flows:

        theta' <- m theta' + (1 - m) theta,   m = 1 - 0.01 (1 + cos(pi t)) / 2,   t in 0..1

    The two coarsest levels of f are compared, each with heads of its own.
    """

    name: ClassVar[str] = "pgl"
    title: ClassVar[str] = "Prior-guided local self-supervision"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        features = plan.network.features[-LEVELS:]
        self.projectors = nn.ModuleList(_head(size) for size in features)
        self.predictors = nn.ModuleList(_head(_SIZE) for _ in features)
        self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        self.target_projectors = copy.deepcopy(self.projectors).requires_grad_(False)

    def draw(self, scans: Scans, generator: Generator, onto: torch.device) -> tuple[Views, Views]:
        """Draw two views each of a batch of different scans."""
        chosen = scans.choose(self.plan.batch_size, generator)
        pairs = [draw_boxes(scans, index, self.plan, generator) for index in chosen]
        first, second = (
            _cut_views(scans, self.plan, chosen, boxes, generator, onto) for boxes in zip(*pairs, strict=True)
        )
        return first, second

    def learn(self, batch: tuple[Views, Views]) -> Outcome:
        """The loss over both orders of the views and both levels, 0..4, and the spread of the target."""
        first, second = batch
        images = torch.cat((first.images, second.images))
        predicted = [
            predict(project(level))
            for level, project, predict in zip(
                self.encoder(images)[-LEVELS:], self.projectors, self.predictors, strict=True
            )
        ]
        with torch.no_grad():
            target = [
                project(level)
                for level, project in zip(
                    self.target_encoder(images)[-LEVELS:], self.target_projectors, strict=True
                )
            ]
        losses = []
        for mine, theirs in zip(predicted, target, strict=True):
            (mine_1, mine_2), (theirs_1, theirs_2) = mine.float().chunk(2), theirs.float().chunk(2)
            losses.append(local_distance(mine_1, theirs_2, first, second))
            losses.append(local_distance(mine_2, theirs_1, second, first))
        return Outcome({"pgl": torch.stack(losses).mean()}, {"spread": spread(target[-1])})

    @torch.no_grad()
    def after_step(self, fraction: float) -> None:
        """Let the target follow."""
        momentum = target_momentum(fraction)
        for followed, follower in self._followed():
            for mine, theirs in zip(followed.parameters(), follower.parameters(), strict=True):
                theirs.mul_(momentum).add_(mine, alpha=1 - momentum)
            for counted, kept in zip(followed.buffers(), follower.buffers(), strict=True):
                kept.copy_(counted)  # statistics are not weights: an average of them would lag behind

    def trouble(self, outcome: Outcome) -> str | None:
        """Notice the solution that says the same of every place, which the loss alone looks pleased with."""
        found = float(outcome.figures["spread"])
        if found > COLLAPSED:
            return None
        return (
            f"The features say nearly the same of every place (spread {found:.2f}, healthy is near 1): "
            "the pretraining has collapsed. Another seed or more scans may help."
        )

    def _followed(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        yield self.encoder, self.target_encoder
        yield self.projectors, self.target_projectors


def target_momentum(fraction: float) -> float:
    """m(t) of the target's average, from 0.99 to 1 along a cosine."""
    return 1 - (1 - MOMENTUM) * (math.cos(math.pi * fraction) + 1) / 2


def local_distance(mine: Tensor, theirs: Tensor, view: Views, other: Views) -> Tensor:
    """D: mean of 2 - 2 cos over the places that both views show; 0 where all agree, at most 4.

    Args:
        mine, theirs: feature maps `(B, E, d, h, w)` of `view` and `other`.
    """
    low, high = torch.maximum(view.low, other.low), torch.minimum(view.high, other.high)
    found = F.normalize(aligned(mine, view, low, high), dim=1)
    expected = F.normalize(aligned(theirs, other, low, high), dim=1)
    return (2 - 2 * (found * expected).sum(dim=1)).mean()


def aligned(features: Tensor, view: Views, low: Tensor, high: Tensor) -> Tensor:
    """Sample a view's feature map on a grid over a box of the scan, `(B, E, 6, 6, 6)`.

        w = low + (p + 1/2) / P (high - low),   u = (w - view.low) / (view.high - view.low)
        u <- 1 - u along flipped axes,   v = N u - 1/2 voxels of the view,   cell v / S,   S = N / n

    The flip is undone in the coordinates and not in the map; doing both would undo it twice. Cell i of the
    encoder looks at voxel i S: its convolutions take strides from the first voxel on, and are odd. (Taken for
    the middle of S voxels, it would be (S - 1) / 2 voxels off, and twice that between a view and a flipped
    one.)

    Args:
        features: `(B, E, d, h, w)`; n cells a side of N voxels.
        view: the boxes and flips.
        low, high: `(B, 3)` the box to sample, inside the view's.

    Raises:
        ValueError: the box is empty, because two views do not overlap.
    """
    if not bool((high > low).all()):
        raise ValueError("The two views do not overlap.")
    part = (torch.arange(CELLS, device=features.device) + 0.5) / CELLS
    places = torch.stack(torch.meshgrid(part, part, part, indexing="ij"), dim=-1)  # (P, P, P, 3)

    def over_places(corner: Tensor) -> Tensor:
        return corner[:, None, None, None]

    inside = over_places(low) + places * over_places(high - low)
    unit = (inside - over_places(view.low)) / over_places(view.high - view.low)
    unit = torch.where(over_places(view.flipped), 1 - unit, unit)
    cells, voxels = (unit.new_tensor(maps.shape[2:]) for maps in (features, view.images))
    places = 2 * unit - 1 + 1 / cells - 1 / voxels  # where `grid_sample` counts -1 .. 1 over all n cells
    return F.grid_sample(features, places.flip(-1), padding_mode="border", align_corners=False)


def spread(features: Tensor) -> Tensor:
    """How differently places are described: 1 when all channels are used evenly, 0 when all places are alike.

    The standard deviation of each channel of the unit vectors of `(B, E, d, h, w)`, times sqrt E.
    """
    vectors = F.normalize(features.float(), dim=1).movedim(1, -1).flatten(0, 3)
    return vectors.std(dim=0).mean() * math.sqrt(vectors.shape[1])


@dataclass(frozen=True)
class Box:
    """A box in a scan: corners `(3,)` at edges of voxels."""

    low: Tensor
    high: Tensor


def draw_boxes(scans: Scans, index: int, plan: Plan, generator: Generator) -> tuple[Box, Box]:
    """Draw two boxes of one scan that share at least `LEAST_OVERLAP` of the smaller one."""
    shape = torch.tensor(scans.shape(index), dtype=torch.float32)

    def sides() -> Tensor:
        zoom, part = torch.rand(2, generator=generator).tolist()
        wanted = torch.tensor(plan.patch_size) * (_ZOOM[0] + zoom * (_ZOOM[1] - _ZOOM[0]))
        return torch.minimum(wanted, shape * (_LARGEST[0] + part * (_LARGEST[1] - _LARGEST[0])))

    def box(extent: Tensor) -> Box:
        corner = scans.box(index, extent, generator)
        return Box(corner, corner + extent)

    first, extent = box(sides()), sides()
    for _ in range(_TRIES):
        second = box(extent)
        if overlap(first, second) >= LEAST_OVERLAP:
            return first, second
    # About the same middle the smaller box lies in the larger one, as far as their proportions let it.
    corner = ((first.low + first.high - extent) / 2).maximum(torch.zeros(3)).minimum(shape - extent)
    return first, Box(corner, corner + extent)


def overlap(first: Box, second: Box) -> float:
    """The volume two boxes share, as a part of the smaller one's."""
    shared = (torch.minimum(first.high, second.high) - torch.maximum(first.low, second.low)).clamp_min(0)
    smaller = min(float((box.high - box.low).prod()) for box in (first, second))
    return float(shared.prod()) / smaller


def _cut_views(
    scans: Scans,
    plan: Plan,
    chosen: Sequence[int],
    boxes: Sequence[Box],
    generator: Generator,
    onto: torch.device,
) -> Views:
    flipped = torch.rand((len(chosen), 3), generator=generator) < 0.5
    images = []
    for index, box, flips in zip(chosen, boxes, flipped, strict=True):
        image = scans.cut(index, box.low, box.high - box.low, plan.patch_size)
        images.append(image.flip([1 + axis for axis in range(3) if flips[axis]]).to(onto))
    return Views(
        images=change_appearance(torch.stack(images), Appearance(), generator),
        low=torch.stack([box.low for box in boxes]).to(onto),
        high=torch.stack([box.high for box in boxes]).to(onto),
        flipped=flipped.to(onto),
    )


def _head(size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(size, _HIDDEN, 1, bias=False),
        nn.GroupNorm(8, _HIDDEN),
        nn.ReLU(),
        nn.Conv3d(_HIDDEN, _SIZE, 1),
    )
