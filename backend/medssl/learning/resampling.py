"""Separable linear resampling between grids that cover the same box, with a low-pass where it reduces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from medssl.learning.plan import Triple

# Voxels a slab may hold on its larger side, all channels together: 64 MiB of 32-bit floats.
SLAB_VOXELS = 1 << 24


def resample_slabs(
    read: Callable[[int, int], Tensor],
    channels: int,
    source: Triple,
    target: Triple,
    slab_voxels: int = SLAB_VOXELS,
) -> Iterator[tuple[slice, Tensor]]:
    """Resample `(C, D, H, W)` from one number of voxels to another over the same box, a few slices at a time.

    Both grids fill the same box: voxel i of n has its centre at (i + 0.5) / n of a side, as with
    `torch.nn.functional.interpolate(align_corners=False)`. Each output voxel is the mean of the input voxels
    around its centre under a triangle as wide as the larger of the two voxels: linear interpolation where
    the grid gets finer, and a low-pass against aliasing where it gets coarser.

    Args:
        read: gives the input's slices `[first, last)`, `(C, last - first, H, W)` float32.
        channels: C.
        source: the input's (D, H, W).
        target: the output's (D, H, W).
        slab_voxels: how many voxels may be in work at once.

    Yields:
        Which output slices, and their voxels `(C, slices, H, W)` float32.
    """
    plane = channels * max(source[1] * source[2], target[1] * target[2])
    ratio = source[0] / target[0]
    rows = max(1, int(slab_voxels / (plane * max(1.0, ratio))))
    planes_first = target[1] * target[2] < source[1] * source[2]
    taps, weights = _triangle(source[0], target[0])
    for begin in range(0, target[0], rows):
        part = slice(begin, min(begin + rows, target[0]))
        first, last = int(taps[part].min()), int(taps[part].max()) + 1
        slab = read(first, last)
        if planes_first:
            slab = _resample_planes(slab, target[1:])
        slab = _mix_slices(slab, taps[part] - first, weights[part])
        if not planes_first:
            slab = _resample_planes(slab, target[1:])
        yield part, slab


def cells_with_any(mask: NDArray[np.bool_], target: Triple) -> NDArray[np.bool_]:
    """Say which voxels of a coarser or finer grid over the same box hold a marked voxel.

    Along an axis that gets coarser: the centre of a marked voxel lies in the cell. Along one that gets
    finer: the nearest voxel is marked. So neither reduces a single marked slice to nothing.

    Args:
        mask: (z, y, x).
        target: the other grid's (z, y, x).
    """
    for axis in range(3):
        before, after = mask.shape[axis], target[axis]
        if after < before:
            starts = np.ceil(np.arange(after) * (before / after) - 0.5).astype(np.int64).clip(0)
            mask = np.logical_or.reduceat(mask, starts, axis=axis)
        elif after > before:
            nearest = np.floor((np.arange(after) + 0.5) * (before / after)).astype(np.int64)
            mask = mask.take(nearest.clip(0, before - 1), axis=axis)
    return mask


def _triangle(source: int, target: int) -> tuple[Tensor, Tensor]:
    """The input slices each output slice is made of, and their weights: (target, taps) each."""
    ratio = source / target
    width = max(1.0, ratio)
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) * ratio - 0.5
    count = 2 * math.ceil(width) + 1
    taps = centres.floor().long().unsqueeze(1) + torch.arange(count) - count // 2
    weights = (1 - (taps - centres.unsqueeze(1)).abs() / width).clamp_min(0)
    weights[(taps < 0) | (taps >= source)] = 0
    weights /= weights.sum(dim=1, keepdim=True)
    used = (weights > 0).any(dim=0)
    taps, weights = taps[:, used], weights[:, used]
    # A tap without weight must not make its slice be read.
    nearest = centres.round().long().clamp(0, source - 1).unsqueeze(1).expand_as(taps)
    return torch.where(weights > 0, taps, nearest), weights.float()


def _mix_slices(slab: Tensor, taps: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of slices, `(C, D, H, W)` to `(C, len(taps), H, W)`."""
    taps, weights = taps.to(slab.device), weights.to(slab.device)
    mixed = torch.zeros((slab.shape[0], len(taps), *slab.shape[2:]), device=slab.device)
    for column in range(taps.shape[1]):
        part = slab.index_select(1, taps[:, column])
        mixed += part.mul_(weights[:, column].view(1, -1, 1, 1))
    return mixed


def _resample_planes(slab: Tensor, target: tuple[int, int]) -> Tensor:
    """Resample every slice of `(C, D, H, W)` to `target` (H, W)."""
    if tuple(slab.shape[2:]) == tuple(target):
        return slab
    height, width = slab.shape[2:]
    if target[1] == 1 and height != target[0]:
        # torch (2.13) repeats the first row when the width is or becomes 1; it does not mind a height of 1.
        narrow = slab if width == 1 else _resample_planes(slab, (height, 1))
        return _resample_planes(narrow.transpose(2, 3), (1, target[0])).transpose(2, 3)
    return F.interpolate(slab, size=target, mode="bilinear", align_corners=False, antialias=True)
