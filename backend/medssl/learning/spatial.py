"""Cutting patches out of a volume, turned, scaled and bent in the same interpolation.

Cutting and deforming in one step means that a rotated patch has real voxels in its corners, not padding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from medssl.labels import UNANNOTATED
from medssl.learning.cases import TrainingCase
from medssl.learning.plan import Triple


@dataclass(frozen=True)
class Deformation:
    """How strongly patches are deformed; with no chance of either change they are plain crops.

    Attributes:
        rotation_deg: largest rotation about each axis; less where a scan has so few slices that the patch
            would tilt out of it.
        scale: largest change of size, as a factor: between 1 / scale and scale.
        stretch: the same, but of each axis for itself.
        bend_voxels: standard deviation of the control points of the elastic field, in voxels of the finest
            axis; less along an axis of which the patch shows too little to be bent that much.
        chance: how often a patch is deformed at all.
        bend_chance: how often it is bent as well.
    """

    rotation_deg: float = 20.0
    scale: float = 1.25
    stretch: float = 1.1
    bend_voxels: float = 2.0
    chance: float = 0.85
    bend_chance: float = 0.5


_CONTROL_POINTS = 6  # a side of the elastic field's grid at most,
_BETWEEN_POINTS = 5  # and so many voxels for each at least; two at the least
_LARGEST_TILT = 0.67  # by which a patch's rim leaves its plane, in parts of half the scan's extent there
_LARGEST_BEND = 0.33  # standard deviation in parts of the distance between points: more would fold the patch


@dataclass(frozen=True)
class Cut:
    """Where one patch comes from.

    Attributes:
        box: the part of the volume that the patch touches; only that is looked at, however large the scan.
        coordinates: `(1, D, H, W, 3)` for `grid_sample`: (x, y, z), -1..1 over the box.
        enlargement: factor by which the patch shows things larger than they are.
    """

    box: tuple[slice, slice, slice]
    coordinates: Tensor
    enlargement: float

    @property
    def inside(self) -> Tensor:
        """Where the patch shows the scan, `(1, D, H, W)` bool; elsewhere it lies beyond the scan's border."""
        return (self.coordinates.abs() <= 1).all(dim=-1)


def plan_cut(
    shape: tuple[int, int, int],
    centre: Tensor,
    patch: Triple,
    spacing_mm: tuple[float, float, float],
    deformation: Deformation,
    mirror: tuple[int, ...],
    generator: Generator,
    device: torch.device,
) -> Cut:
    """Draw one deformed patch position.

    Args:
        shape: of the volume, (D, H, W).
        centre: (3,) voxel coordinates of the patch's centre, on the CPU.
        patch: sides of the patch in voxels.
        spacing_mm: of the volume; rotations keep right angles in millimetres, not in voxels.
        deformation: how strongly to deform.
        mirror: array axes (0, 1, 2) along which a mirrored anatomy is the same anatomy.
        generator: of the CPU; every draw comes from it, so that a seed makes a run.
        device: of the case that will be cut. A few numbers are drawn on the CPU; the million places that a
            large patch has are worked out there.
    """
    spacing = torch.tensor(spacing_mm)
    turns = _largest_turns(shape, patch, spacing_mm, deformation.rotation_deg)
    matrix, enlargement = _random_matrix(deformation, turns, generator)
    for axis in mirror:
        if torch.rand((), generator=generator) < 0.5:
            matrix[:, axis] *= -1
    # Voxels of the volume that one step along each axis of the patch takes: an affine map is a sum over axes.
    steps = matrix.T * spacing[:, None] / spacing
    z, y, x = (
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2)[:, None] * step
        for n, step in zip(patch, steps, strict=True)
    )
    voxels = z.to(device)[:, None, None] + y.to(device)[:, None] + (x + centre).to(device)
    if deformation.bend_voxels > 0 and torch.rand((), generator=generator) < deformation.bend_chance:
        spread = deformation.bend_voxels * spacing.min() / spacing
        voxels = voxels + _bend(patch, spread, generator, device)
    return cut_through(voxels, shape, enlargement)


def cut_through(voxels: Tensor, shape: tuple[int, int, int], enlargement: float = 1.0) -> Cut:
    """Take a patch's voxels from given places.

    Args:
        voxels: `(D, H, W, 3)` voxel coordinates (z, y, x), not only whole ones.
        shape: of the volume.
        enlargement: factor by which the patch shows things larger than they are.
    """
    corners = voxels.reshape(-1, 3)
    ends = torch.tensor(shape)
    least, most = (end.cpu() for end in torch.aminmax(corners, dim=0))
    first = least.floor().long().clamp_min(0).minimum(ends - 1)
    last = (most.floor().long() + 2).clamp_min(1).minimum(ends)
    # Voxel index i lies at (2 i + 1) / n - 1 (align_corners=False); grid_sample wants x, y, z.
    unit = (2 * (voxels - first.to(voxels.device)) + 1) / (last - first).to(voxels.device) - 1
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return Cut((z, y, x), unit.flip(-1).unsqueeze(0), enlargement)


def cut_image(case: TrainingCase, cut: Cut) -> Tensor:
    """Interpolate the image of a case, `(1, C, D, H, W)`; beyond the scan its border is repeated."""
    coordinates = cut.coordinates.to(case.image.device)
    return F.grid_sample(
        case.image[(..., *cut.box)].unsqueeze(0).float(),
        coordinates,
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )


def cut_labels(case: TrainingCase, cut: Cut, classes: int) -> Tensor:
    """Interpolate the labels of a case, `(1, D, H, W)` int64; 255 beyond the scan and without labels.

    Each class is interpolated for itself and the largest wins, which keeps borders smooth where nearest
    neighbours would make steps.
    """
    patch = cut.coordinates.shape[1:4]
    if case.labels is None:
        return torch.full((1, *patch), UNANNOTATED, dtype=torch.int64, device=case.image.device)
    coordinates = cut.coordinates.to(case.labels.device)
    labels = case.labels[cut.box]
    # The last channel is 'annotated': it falls to 0 beyond the scan, where nothing is known. What of it is no
    # structure's is the background's.
    shares = torch.stack([*(labels == index for index in range(1, classes)), labels != UNANNOTATED])
    sampled = F.grid_sample(
        shares.unsqueeze(0).float(), coordinates, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    structures, annotated = sampled[:, :-1], sampled[:, -1:]
    background = annotated - structures.sum(dim=1, keepdim=True)
    found = torch.cat((background, structures), dim=1).max(dim=1).indices  # much faster than argmax
    return torch.where(annotated[:, 0] > 0.5, found, UNANNOTATED)


def cut_level_set(case: TrainingCase, cut: Cut) -> Tensor:
    """Interpolate the level sets, `(1, F, D, H, W)` in [-1, 1], with distances scaled as the patch is."""
    if case.level_set is None:
        raise ValueError(f"The case {case.name} was prepared without level sets.")
    coordinates = cut.coordinates.to(case.level_set.device)
    sampled = F.grid_sample(
        case.level_set[(..., *cut.box)].unsqueeze(0).float(),
        coordinates,
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return (sampled * cut.enlargement).clamp(-1, 1)


def _largest_turns(
    shape: tuple[int, int, int], patch: Triple, spacing_mm: tuple[float, float, float], usual_deg: float
) -> dict[tuple[int, int], float]:
    """Largest angle in degrees by which a patch turns in the plane of each two axes.

    What a patch turned further would show at its rim is beyond the scan, where nothing can be learned: a
    single slice of 256 mm, 8 mm thick, would lose two thirds of its voxels to rotations by up to 20 degrees.
    """
    whole = [count * size for count, size in zip(shape, spacing_mm, strict=True)]
    shown = [min(*counts) * size for *counts, size in zip(shape, patch, spacing_mm, strict=True)]
    turns = {}
    for first, second in ((0, 1), (0, 2), (1, 2)):
        thinnest = min(whole[first] / shown[second], whole[second] / shown[first])
        turns[first, second] = min(usual_deg, math.degrees(math.asin(min(1.0, _LARGEST_TILT * thinnest))))
    return turns


def _random_matrix(
    deformation: Deformation, turns: Mapping[tuple[int, int], float], generator: Generator
) -> tuple[Tensor, float]:
    """Draw rotation times scaling, and the mean factor by which the patch shows things larger."""

    def between(limit: float) -> float:
        return (2 * float(torch.rand((), generator=generator)) - 1) * limit

    if float(torch.rand((), generator=generator)) >= deformation.chance:
        return torch.eye(3), 1.0
    matrix = torch.eye(3)
    for (first, second), largest_deg in turns.items():
        angle = math.radians(between(largest_deg))
        turn = torch.eye(3)
        turn[first, first] = turn[second, second] = math.cos(angle)
        turn[first, second], turn[second, first] = -math.sin(angle), math.sin(angle)
        matrix = matrix @ turn
    overall = between(math.log(deformation.scale))
    factors = [math.exp(overall + between(math.log(deformation.stretch))) for _ in range(3)]
    enlargement = math.prod(factors) ** (-1 / 3)
    return matrix @ torch.diag(torch.tensor(factors)), enlargement


def _bend(patch: Triple, voxels: Tensor, generator: Generator, device: torch.device) -> Tensor:
    """Draw a smooth displacement field, `(D, H, W, 3)` in voxels.

    Args:
        patch: its sides.
        voxels: (3,) standard deviation of the control points along each axis.
        generator: of the CPU.
        device: of the field.
    """
    count = [min(_CONTROL_POINTS, max(2, side // _BETWEEN_POINTS)) for side in patch]
    apart = torch.tensor([(side - 1) / (points - 1) for side, points in zip(patch, count, strict=True)])
    spread = voxels.minimum(_LARGEST_BEND * apart)
    points = torch.randn((1, 3, *count), generator=generator) * spread[:, None, None, None]
    field = F.interpolate(points.to(device), size=patch, mode="trilinear", align_corners=True)
    return field[0].movedim(0, -1)
