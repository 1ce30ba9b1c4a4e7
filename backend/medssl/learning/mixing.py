"""Copying a box out of one patch into another: two scans in one input, each with its own labels.

After Yun et al., 'CutMix', ICCV 2019, and Bai et al., 'Bidirectional Copy-Paste for Semi-Supervised Medical
Image Segmentation', CVPR 2023; here with a box of its own for every patch, of a size drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, device

from medssl.labels import UNANNOTATED
from medssl.learning.patches import Patches
from medssl.learning.plan import Plan, Triple

LEAST_SIDE, MOST_SIDE = 0.4, 0.75  # of a box, in parts of the patch's
ON_STRUCTURE_CHANCE = 0.5  # how often a box is placed where it takes structures along
STRUCTURE_PART = 0.3  # how much of the structures such a box takes along, if there is a place where it can


@dataclass(frozen=True)
class Boxes:
    """One box a patch: the voxels from `start` up to, not including, `stop`; empty where they are the same.

    Attributes:
        start: `(B, 3)` int64, (z, y, x), on the CPU.
        stop: the same.
    """

    start: Tensor
    stop: Tensor

    def inside(self, sides: Triple, on: device) -> Tensor:
        """Which voxels of patches with these sides are in their box: `(B, D, H, W)`."""
        held = [(at >= start) & (at < stop) for at, start, stop in self._axes(sides, on)]
        return held[0][:, :, None, None] & held[1][:, None, :, None] & held[2][:, None, None, :]

    def distance_mm(self, sides: Triple, spacing_mm: tuple[float, float, float], on: device) -> Tensor:
        """Distance of each voxel's centre to the nearest one that came from the other patch, `(B, D, H, W)`.

        Infinite where there is none. A face of the box on the face of the patch parts nothing.
        """
        within, beyond = [], []
        for (at, start, stop), side, size in zip(self._axes(sides, on), sides, spacing_mm, strict=True):
            before = torch.where(start > 0, (at - start + 1) * size, torch.inf)
            behind = torch.where(stop < side, (stop - at) * size, torch.inf)
            within.append(torch.minimum(before, behind))
            beyond.append((torch.maximum(start - at, at - stop + 1).clamp_min(0) * size) ** 2)
        inner = within[0][:, :, None, None].minimum(within[1][:, None, :, None])
        inner = inner.minimum(within[2][:, None, None, :])
        outer = beyond[0][:, :, None, None] + beyond[1][:, None, :, None] + beyond[2][:, None, None, :]
        distance = torch.where(self.inside(sides, on), inner, outer.sqrt())
        empty = (self.stop <= self.start).any(dim=1).to(on)
        return distance.masked_fill(empty[:, None, None, None], torch.inf)

    def _axes(self, sides: Triple, on: device) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Along each axis, voxel indices `(1, n)`, and starts and stops `(B, 1)`."""
        start, stop = self.start.to(on), self.stop.to(on)
        return [
            (torch.arange(side, device=on)[None], start[:, axis, None], stop[:, axis, None])
            for axis, side in enumerate(sides)
        ]


def draw_boxes(labels: Tensor, generator: Generator, chance: float = 1.0) -> Boxes:
    """Draw one box a patch, its sides 0.4 to 0.75 of the patch's.

    Every second box or so is placed where it holds at least 30 % of the structures' voxels, or as many as it
    can; the others, and those in patches without a structure, anywhere.

    Args:
        labels: `(B, D, H, W)` of the patches that boxes are copied from; 255 is no structure.
        generator: of the CPU.
        chance: how often a box is drawn; the others are empty.
    """
    drawn = [_draw_box(patch, generator, chance) for patch in labels]
    start, sides = (torch.tensor(column) for column in zip(*drawn, strict=True))
    return Boxes(start, start + sides)


def paste(host: Patches, donor: Patches, boxes: Boxes, plan: Plan) -> Patches:
    """Copy what the boxes hold from `donor` into `host`: images, labels and level sets.

    The border of a structure may change where patches meet. A level set is kept where its border is certainly
    nearer than any voxel of the other patch, and is NaN (unknown) elsewhere; patches without level sets are
    unknown everywhere.

    Args:
        host: B patches; is not changed.
        donor: as many. To paste guesses, let its labels be those.
        boxes: as many.
        plan: of the patches: spacing, and where level sets saturate.
    """
    z, y, x = (int(side) for side in host.labels.shape[1:])
    where = host.labels.device
    inside = boxes.inside((z, y, x), where)
    every_channel = inside.unsqueeze(1)
    level_set = None
    if host.level_set is not None or donor.level_set is not None:
        joined = torch.where(every_channel, _level_set(donor, plan), _level_set(host, plan))
        tau = torch.tensor(plan.level_set_mm, device=where)[:, None, None, None]
        # Level sets are zero on the face between voxels: distances between centres less half of the finest.
        least = boxes.distance_mm((z, y, x), plan.spacing_mm, where) - min(plan.spacing_mm) / 2
        level_set = joined.masked_fill(joined.abs() * tau >= least.unsqueeze(1), torch.nan)
    return Patches(
        image=torch.where(every_channel, donor.image, host.image),
        plain=torch.where(every_channel, donor.plain, host.plain),
        labels=torch.where(inside, donor.labels, host.labels),
        level_set=level_set,
    )


def mix_within(patches: Patches, plan: Plan, generator: Generator, chance: float = 0.5) -> Patches:
    """Paste into some patches a box of the one before: a few annotated scans become many.

    Args:
        patches: of independent cuts and appearances, so that one scan can be mixed with itself.
        plan: of the patches.
        generator: of the CPU.
        chance: how often a patch gets a box.
    """
    donor = Patches(
        image=patches.image.roll(1, 0),
        plain=patches.plain.roll(1, 0),
        labels=patches.labels.roll(1, 0),
        level_set=None if patches.level_set is None else patches.level_set.roll(1, 0),
    )
    return paste(patches, donor, draw_boxes(donor.labels, generator, chance), plan)


def _draw_box(labels: Tensor, generator: Generator, chance: float) -> tuple[list[int], list[int]]:
    """Start and sides of a box in one patch `(D, H, W)`."""
    drawn, size, on_structure = torch.rand(3, generator=generator).tolist()
    if drawn >= chance:
        return [0, 0, 0], [0, 0, 0]
    part = LEAST_SIDE + (MOST_SIDE - LEAST_SIDE) * size
    sides = [max(1, round(part * side)) for side in labels.shape]
    structures = (labels != 0) & (labels != UNANNOTATED)
    total = int(structures.sum())
    if total and on_structure < ON_STRUCTURE_CHANCE:
        held = _sums(structures, sides)
        wanted = min(round(STRUCTURE_PART * total), int(held.max()))
        places = (held >= wanted).nonzero()
        start: list[int] = places[int(torch.randint(len(places), (), generator=generator))].tolist()
        return start, sides
    starts = [
        int(torch.randint(whole - side + 1, (), generator=generator))
        for whole, side in zip(labels.shape, sides, strict=True)
    ]
    return starts, sides


def _sums(mask: Tensor, sides: list[int]) -> Tensor:
    """How many voxels of `mask` a box of these sides holds, at every place it can start."""
    sums = mask.to(torch.int32)
    for axis, side in enumerate(sides):
        running = F.pad(sums.movedim(axis, -1).cumsum(dim=-1), (1, 0))
        sums = (running[..., side:] - running[..., :-side]).movedim(-1, axis)
    return sums


def _level_set(patches: Patches, plan: Plan) -> Tensor:
    if patches.level_set is not None:
        return patches.level_set
    shape = (len(patches), len(plan.level_set_mm), *patches.labels.shape[1:])
    return torch.full(shape, torch.nan, device=patches.labels.device)
