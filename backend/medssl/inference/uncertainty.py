"""How sure a prediction is: a map of voxels, one number a case, and where a person should look first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medssl.project import UncertainRegion

_SLAB_VOXELS = 4_000_000  # voxels worked on at once: bounds the memory of a large scan's intermediate results
_CERTAIN = 0.01  # uncertainty up to which nobody needs to look
_HAZE = 0.25  # of the most uncertain place; what is fainter, over much of a scan, would outweigh what matters
_COARSE_SIDE = 64  # cells a side on which regions are searched; finer would not move them visibly
_MOST_REGIONS = 8
_WORTH_A_LOOK = 0.25  # of what the worst region holds


def entropy(probabilities: Tensor) -> Tensor:
    """Predictive entropy of each voxel, 0 (one class is certain) to 1 (all classes are as likely).

        - sum_k p_k log p_k / log K

    Args:
        probabilities: `(K, D, H, W)`, summing to 1 over K, of any floating type.

    Returns:
        `(D, H, W)`, float32.
    """
    p = probabilities.float()
    surprise: Tensor = torch.special.xlogy(p, p).sum(dim=0)
    return surprise / -float(np.log(p.shape[0]))


def disagreement(probabilities: Tensor, others: Tensor) -> Tensor:
    """How much two distributions over the classes differ, 0 (equal) to 1 (nothing in common).

    The total variation distance, half the sum of absolute differences. Between the segmentation head and the
    level-set head it shows where the two tasks of a dual-task network contradict each other.

    Args:
        probabilities: `(..., K, D, H, W)`.
        others: of the same shape.

    Returns:
        `(..., D, H, W)`.
    """
    return (probabilities - others).abs().sum(dim=-4) / 2


def uncertainty_map(probabilities: Tensor, disagreements: Tensor | None) -> Tensor:
    """The uncertainty of each voxel: its entropy or the disagreement of the heads, whichever is larger.

    Args:
        probabilities: `(K, D, H, W)`, of any floating type.
        disagreements: `(D, H, W)`, or None for a network with one head.

    Returns:
        `(D, H, W)` float32 in 0..1.
    """
    found = torch.empty(probabilities.shape[1:])
    for slab in _slabs(found.shape):
        found[slab] = entropy(probabilities[:, slab])
        if disagreements is not None:
            found[slab] = torch.maximum(found[slab], disagreements[slab].float())
    return found.clamp_(0, 1)


def case_score(probabilities: Tensor) -> float:
    """One number a case: 0 for certain to 1 for uncertain, whatever the size of its structures.

    The voxels of a structure that the network expects to have wrong, as a part of the voxels it found: with
    the probabilities p and the classes h = argmax p, as mean over the foreground classes k,

        mean_k sum_x p_k (1 - max_j p_j) / |{x: h = k}|.

    A mean of the voxels' entropy would mostly measure how much surface there is, and the soft Dice
    coefficient of p and h is governed by faint probabilities far outside, which say little: with a model
    trained on two cases, its rank correlation with the true Dice was 0.21 on 150 hippocampi and 0.42 on 40
    left atria, against 0.47 and 0.74 of this score. A class that was not found anywhere counts as entirely
    uncertain: a structure of the schema that is missing is a reason to look.

    Args:
        probabilities: `(K, D, H, W)`, background first, of any floating type.
    """
    count = probabilities.shape[0]
    wrong, size = np.zeros(count), np.zeros(count)
    for slab in _slabs(probabilities.shape[1:]):
        p = probabilities[:, slab].float()
        highest, classes = p.max(dim=0)
        for k in range(1, count):
            wrong[k] += float((p[k] * (1 - highest)).sum(dtype=torch.float64))
            size[k] += int((classes == k).sum())
    share = np.divide(wrong, size, out=np.ones_like(wrong), where=size > 0)[1:]
    return float(share.clip(0, 1).mean())


def worst_slice(uncertainty: NDArray[np.float32], found: NDArray[np.bool_]) -> int:
    """Index along z of the slice where the rim of the segmentation is uncertain over the greatest width.

    Even a good prediction is uncertain along its outline, and outlines grow with the root of the area: the
    sum of a slice's uncertainty is divided by that root, so that the largest slice does not always win. The
    mean area is added, so that one stray voxel does not win either. Voxels that are less than a quarter as
    uncertain as the most uncertain one count for nothing: of a model that has learned little, all that lies
    outside is faintly uncertain, and an empty slice would win.

    Args:
        uncertainty: `(z, y, x)`, 0..1.
        found: `(z, y, x)`, where any structure was found.
    """
    area = found.sum(axis=(1, 2), dtype=np.float64)
    least = _HAZE * float(uncertainty.max())
    sums = np.array([plane[plane >= least].sum(dtype=np.float64) for plane in uncertainty])
    typical = float(area[area > 0].mean()) if area.any() else 1.0
    return int(np.argmax(sums / np.sqrt(area + typical)))


def uncertain_regions(uncertainty: NDArray[np.float32]) -> tuple[UncertainRegion, ...]:
    """The boxes that hold the most uncertainty: where corrections are most likely needed, the worst first.

    Their sides are a third of the extent of all voxels that are at least a quarter as uncertain as the most
    uncertain one, and fainter blocks of voxels count for nothing. Each is the box that holds the most of what
    the boxes before it have left; one that would hold less than a quarter of what the first holds is no
    region any more.

    Args:
        uncertainty: `(z, y, x)`, 0..1.

    Returns:
        Boxes and centres in voxels; none when no voxel is uncertain.
    """
    most = float(uncertainty.max())
    bounds = _bounds(uncertainty > _HAZE * most) if most > _CERTAIN else None
    if bounds is None:
        return ()
    part = uncertainty[tuple(slice(start, stop) for start, stop in bounds)]
    cell = [-(-side // _COARSE_SIDE) for side in part.shape]
    left = _block_means(part, cell).astype(np.float64)
    sides = [max(1, round(side / 3)) for side in left.shape]
    total, worst, found = float(left.sum()), 0.0, list[UncertainRegion]()
    left[left < _HAZE * left.max()] = 0
    while len(found) < _MOST_REGIONS:
        corner, amount = _fullest_box(left, sides)
        worst = worst or amount
        if amount < _WORTH_A_LOOK * worst:
            break
        inside = left[tuple(slice(c, c + side) for c, side in zip(corner, sides, strict=True))]
        core = [max(1, side // 3) for side in sides]
        densest, _ = _fullest_box(inside, core)
        first, last, centre = [], [], []
        for axis, (start, stop) in enumerate(bounds):
            begin, size = start + corner[axis] * cell[axis], cell[axis]
            first.append(begin)
            last.append(min(begin + sides[axis] * size, stop))
            centre.append(min(begin + int((densest[axis] + core[axis] / 2) * size), stop - 1))
        (z0, y0, x0), (z1, y1, x1), (z, y, x) = first, last, centre
        found.append(UncertainRegion((z0, y0, x0, z1, y1, x1), (z, y, x), amount / total))
        inside[...] = 0
    return tuple(found)


def _slabs(shape: torch.Size) -> Iterator[slice]:
    """Cut the first axis into pieces of a bounded number of voxels."""
    planes = max(1, _SLAB_VOXELS // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], planes):
        yield slice(start, min(start + planes, shape[0]))


def _bounds(mask: NDArray[np.bool_]) -> list[tuple[int, int]] | None:
    """First and one past the last index of the true voxels along each axis; None when there are none."""
    bounds = []
    for axis in range(3):
        others = tuple(i for i in range(3) if i != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        if inside.size == 0:
            return None
        bounds.append((int(inside[0]), int(inside[-1]) + 1))
    return bounds


def _fullest_box(array: NDArray[np.float64], sides: list[int]) -> tuple[list[int], float]:
    """First corner and sum of the box of `sides` with the largest sum."""
    sums = _box_sums(array, sides)
    corner = np.unravel_index(int(sums.argmax()), sums.shape)
    return [int(index) for index in corner], float(sums[corner])


def _block_means(array: NDArray[np.float32], cell: list[int]) -> NDArray[np.float32]:
    """Means of blocks of `cell` voxels; blocks that reach over the end are filled up with zeros."""
    means: NDArray[np.float32] = array
    for axis, size in enumerate(cell):
        starts = np.arange(0, array.shape[axis], size)
        sums = np.add.reduceat(means, starts, axis=axis)
        means = (sums / size).astype(np.float32)
    return means


def _box_sums(array: NDArray[np.float64], sides: list[int]) -> NDArray[np.float64]:
    """Sums over all boxes of `sides` that lie inside, by their first corner."""
    sums = array
    for axis, side in enumerate(sides):
        ends = np.cumsum(sums, axis=axis)
        before = np.insert(ends, 0, 0, axis=axis)
        count = array.shape[axis] - side + 1
        sums = ends.take(range(side - 1, side - 1 + count), axis) - before.take(range(count), axis)
    return sums
