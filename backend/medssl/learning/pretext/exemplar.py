"""Exemplar: the same part of a scan, however it is shown, is more like itself than like any other's.

After Taleb et al., '3D Self-Supervised Methods for Medical Imaging', NeurIPS 2020, section 3.5, who take the
task of Dosovitskiy et al., TPAMI 2016, to volumes. Their code gives anchor, positive and negative a head
each, which can satisfy the loss without looking at an image; here all three share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from medssl.learning.appearance import Appearance, change_appearance
from medssl.learning.loop import full_precision
from medssl.learning.plan import Plan
from medssl.learning.pretext.base import Embedding, Outcome, Pretext
from medssl.learning.pretext.scans import Scans
from medssl.learning.spatial import Deformation, cut_image, plan_cut

MARGIN = 0.3
_CROPS = 4  # crops for each place in a batch of training: negatives come from the batch
_CHANGED = Deformation(
    rotation_deg=90.0, scale=1.2, stretch=1.1, bend_voxels=0.0, chance=0.75, bend_chance=0.0
)


@dataclass(frozen=True)
class Exemplars:
    """Crops `(B, C, D, H, W)` as they are and as they were changed, and which scan each is from `(B,)`."""

    originals: Tensor
    changed: Tensor
    scans: Tensor


class Exemplar(Pretext[Exemplars]):
    """A triplet loss with one shared projection and semi-hard negatives of the batch.

        L = (1 / B) sum_b max(0, |a_b - p_b|^2 - |a_b - n_b|^2 + m),   m = 0.3
        a = g(f(changed x)),  p = g(f(x)),  n = g(f(x')),   all of length 1

    f is the encoder and g a projection to 128 numbers. The crop is flipped, turned, scaled and shown with
    another acquisition's intensities. n_b is of another scan: the nearest that is farther from a_b than p_b
    (Schroff et al., CVPR 2015), or the farthest when none is.
    """

    name: ClassVar[str] = "exemplar"
    title: ClassVar[str] = "Exemplar"
    least_scans: ClassVar[int] = 2

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.projection = nn.Sequential(
            Embedding(plan.network, 256), nn.LayerNorm(256), nn.ReLU(), nn.Linear(256, 128)
        )

    def draw(self, scans: Scans, generator: Generator, onto: torch.device) -> Exemplars:
        """Draw crops of different scans, and change each."""
        patch = self.plan.patch_size
        chosen = scans.choose(_CROPS * self.plan.batch_size, generator)
        originals, changed = [], []
        for index in chosen:
            case, shape = scans.case(index), scans.shape(index)
            sides = torch.tensor(patch, dtype=torch.float32)
            corner = scans.box(index, sides, generator)
            originals.append(scans.cut(index, corner, sides, patch).to(onto))
            centre = corner + sides / 2 - 0.5
            near = case.image.device
            cut = plan_cut(shape, centre, patch, self.plan.spacing_mm, _CHANGED, (0, 1, 2), generator, near)
            changed.append(cut_image(case, cut)[0].to(onto))
        others = change_appearance(torch.stack(changed), Appearance(), generator)
        return Exemplars(torch.stack(originals), others, torch.tensor(chosen, device=onto))

    def learn(self, batch: Exemplars) -> Outcome:
        """The triplet loss; embeddings that are all the same give exactly the margin."""
        images = torch.cat((batch.changed, batch.originals))
        vectors = F.normalize(self.projection(self.encoder(images)[-1]).float(), dim=1)
        anchors, positives = vectors.chunk(2)
        with full_precision(vectors):
            distances = 2 - 2 * anchors @ positives.T  # |a - p|^2 of vectors of length 1
        other = batch.scans[:, None] != batch.scans
        nearest = distances.argmin(dim=1)
        found = (nearest == torch.arange(len(nearest), device=nearest.device)).float().mean()
        return Outcome({"exemplar": triplet_loss(distances, other)}, {"accuracy": found})


def triplet_loss(distances: Tensor, other: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean hinge over anchors, each with its semi-hard negative.

    Args:
        distances: `(B, B)` squared distances of anchor i to positive j; its own is on the diagonal.
        other: `(B, B)` whether j may be a negative of i; anchors without one do not count.
        margin: by which a negative should be farther than the positive.
    """
    own = distances.diagonal()[:, None]
    farther = other & (distances > own)
    semi_hard = distances.masked_fill(~farther, torch.inf).amin(dim=1)
    farthest = distances.masked_fill(~other, -torch.inf).amax(dim=1)
    negatives = torch.where(farther.any(dim=1), semi_hard, farthest)
    counted = other.any(dim=1)
    return (own[:, 0] - negatives + margin).clamp_min(0)[counted].mean()
