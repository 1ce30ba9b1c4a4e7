"""Local contrast: embeddings of voxels of one class come together, those of different classes move apart.

After Chaitanya et al., 'Local contrastive loss with pseudo-label based self-training for semi-supervised
medical image segmentation', Medical Image Analysis 2023; here in 3D and for all pairs of patches at
once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from medssl.labels import UNANNOTATED
from medssl.learning.loop import full_precision
from medssl.learning.plan import Triple

TEMPERATURE = 0.1  # tau of the paper
ANCHORS = 64  # voxels of a class in a patch that are compared; half of them near a border
SHELL_VOXELS = 8  # how far from a structure background still says what the structure is not
BORDER_VOXELS = 2  # how far from another class a voxel is hard to tell
_NEVER = -1e4  # the logarithm of a weight that no exponential survives, but that gradients do
_KEPT_PART = 0.2  # of the guesses of a class, however unsure: a weak class must not vanish


def local_contrastive_loss(
    embedding: Tensor, labels: Tensor, weights: Tensor, class_count: int, spacing_mm: Sequence[float]
) -> Tensor:
    """How badly voxels match the mean of their class, in their own patch and in all others; at least 0.

        l(a) = -log( sum_{j in P(a)} exp(a m_j / tau) / sum_j exp(a m_j / tau) )
        L = mean over classes of mean over their anchors of l(a)

    a is the embedding of a voxel (an anchor), m_j the mean embedding of one class in one patch, all of length
    1; P(a) are the means of the anchor's class, from its own patch (intra) and all others (inter). All
    positives stand in the numerator, so that a perfect embedding has loss 0. (The published inter loss has a
    term for each positive and ends at log 2; and it divides its running sum inside the loop over pairs, so
    that the last pair has nearly all the weight. This one is the plain mean.)

    Background is a class as any other, or nothing could be learned about a single structure; only a shell
    round the structures counts, because air and the far side of the body are easy and many. Means pass no
    gradient. Everything is computed in 32-bit floats.

    Args:
        embedding: `(B, E, D, H, W)` of any length; patches of annotated and of guessed labels together.
        labels: `(B, D, H, W)` class indices, annotated or guessed; voxels of 255 count nowhere.
        weights: `(B,)`, as how many patches each counts; 0 is as if it were not there.
        class_count: K, with background.
        spacing_mm: of the voxels, (z, y, x): shell and border are as thick along every axis.
    """
    with full_precision(embedding):
        members = class_members(labels, class_count, reach(SHELL_VOXELS, spacing_mm))
        voxels = choose_anchors(members, reach(BORDER_VOXELS, spacing_mm), ANCHORS)
        vectors = embedding.float().flatten(2)
        anchors = F.normalize(anchors_at(vectors, voxels), dim=3)
        means = class_means(F.normalize(vectors.detach(), dim=1), members)
        return matching_loss(anchors, means, members.flatten(2).any(dim=2) * weights.float()[:, None])


def matching_loss(anchors: Tensor, means: Tensor, weights: Tensor) -> Tensor:
    """The multi-positive softmax of `local_contrastive_loss`, over anchors and class means that are chosen.

    All anchors of a class in patches of one weight count alike, whatever their order. With nothing to
    compare the loss is 0.

    Args:
        anchors: `(B, K, S, E)`, of length 1.
        means: `(B, K, E)`, of length 1.
        weights: `(B, K)`, as how many patches this one counts for this class; 0 where it lacks the class,
            whose anchors and mean are then not looked at.
    """
    patches, classes, count, _ = anchors.shape
    similarity = torch.einsum("bkse,cle->bkscl", anchors, means) / TEMPERATURE
    similarity = similarity + weights.log().clamp_min(_NEVER)
    own = torch.arange(classes, device=anchors.device)
    positive = similarity[:, own, :, :, own].permute(1, 0, 2, 3)  # (B, K, S, B): the anchor's class only
    every = similarity.reshape(patches, classes, count, patches * classes)
    losses = (every.logsumexp(dim=3) - positive.logsumexp(dim=3)).mean(dim=2)
    of_class = (weights * losses).sum(dim=0) / weights.sum(dim=0).clamp_min(1e-6)
    return of_class.sum() / (weights > 0).any(dim=0).sum().clamp_min(1)


def class_members(labels: Tensor, class_count: int, shell: Triple) -> Tensor:
    """Which voxels stand for which class: `(B, K, D, H, W)`, background only in a shell round the structures.

    Args:
        labels: `(B, D, H, W)`; voxels of 255 stand for nothing.
        class_count: K.
        shell: how far the shell reaches along each axis, in voxels.
    """
    members = torch.stack([labels == index for index in range(class_count)], dim=1)
    structures = members[:, 1:].any(dim=1, keepdim=True)
    members[:, :1] &= _dilated(structures, shell)
    return members


def choose_anchors(members: Tensor, border: Triple, count: int) -> Tensor:
    """Choose voxels of each class in each patch: `(B, K, count)` flat indices, meaningless for empty classes.

    Half are spread evenly over all voxels of the class, half over those within `border` voxels of another
    class, where segmentation goes wrong; over all of them where there is no border. Patches are drawn at
    random, so an even spread in them is as good as a draw, and a training that goes on after an interruption
    chooses as if there had been none. A class of fewer voxels gives them several times.

    Args:
        members: `(B, K, D, H, W)`.
        border: how far a border reaches along each axis, in voxels.
        count: of anchors.
    """
    contested = _dilated(members, border).sum(dim=1, keepdim=True) > 1
    hard = members & contested
    hard = torch.where(hard.flatten(2).any(dim=2)[:, :, None, None, None], hard, members)
    half = count // 2
    return torch.cat((_spread(members, count - half), _spread(hard, half)), dim=2)


def anchors_at(vectors: Tensor, voxels: Tensor) -> Tensor:
    """Take the vectors `(B, E, N)` at flat indices `(B, K, S)`: `(B, K, S, E)`."""
    patches, classes, count = voxels.shape
    places = voxels.reshape(patches, 1, classes * count).expand(-1, vectors.shape[1], -1)
    return vectors.gather(2, places).reshape(patches, -1, classes, count).permute(0, 2, 3, 1)


def class_means(vectors: Tensor, members: Tensor) -> Tensor:
    """Mean direction of each class in each patch: `(B, K, E)` of length 1, zero for a class without voxels.

    Args:
        vectors: `(B, E, N)` of length 1.
        members: `(B, K, D, H, W)` with N voxels.
    """
    weights = members.flatten(2).float()
    sums = torch.einsum("ben,bkn->bke", vectors, weights)
    return F.normalize(sums / weights.sum(dim=2, keepdim=True).clamp_min(1), dim=2)


@torch.no_grad()
def guessed_classes(logits: Tensor, confidence: float = 0.0) -> Tensor:
    """The most probable class of each voxel, `(B, D, H, W)`; 255 where its probability is too small.

    A threshold for all classes would drop small and difficult ones altogether, so that each class keeps at
    least the surest fifth of its guesses.

    Args:
        logits: `(B, K, D, H, W)`.
        confidence: least probability of a guess, 0..1; 0 keeps all, as the paper does in the end.
    """
    probability, guess = logits.float().softmax(dim=1).max(dim=1)
    if confidence == 0:
        return guess
    least = torch.full((logits.shape[1],), confidence, device=logits.device)
    for index in range(logits.shape[1]):
        found = probability[guess == index]
        if len(found):
            surest = found.topk(max(1, round(_KEPT_PART * len(found)))).values
            least[index] = least[index].minimum(surest[-1])
    return torch.where(probability >= least[guess], guess, UNANNOTATED)


def reach(voxels: int, spacing_mm: Sequence[float]) -> Triple:
    """As many voxels along each axis as are `voxels` of the finest one in mm; at least one."""
    finest = min(spacing_mm)
    z, y, x = (max(1, round(voxels * finest / spacing)) for spacing in spacing_mm)
    return z, y, x


def _dilated(masks: Tensor, voxels: Triple) -> Tensor:
    """Grow masks `(B, K, D, H, W)` by a box, one axis after the other."""
    grown = masks.float()
    for axis, radius in enumerate(voxels):
        kernel, padding = [1, 1, 1], [0, 0, 0]
        kernel[axis], padding[axis] = 2 * radius + 1, radius
        grown = F.max_pool3d(grown, tuple(kernel), stride=1, padding=tuple(padding))
    return grown > 0


def _spread(members: Tensor, count: int) -> Tensor:
    """Flat indices `(B, K, count)` of members at even ranks, in the order of the voxels."""
    ranks = members.flatten(2).cumsum(dim=2, dtype=torch.int32)
    total = ranks[:, :, -1:]
    middles = (torch.arange(count, device=members.device) + 0.5) / count
    wanted = (middles * total).to(torch.int32) + 1
    return torch.searchsorted(ranks, wanted).clamp_max(ranks.shape[2] - 1)
