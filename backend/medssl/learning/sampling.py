"""Choosing what to look at: cases with replacement, and places in them that are worth a patch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from medssl.imaging.canonical import MIRROR_ARRAY_AXIS
from medssl.labels import UNANNOTATED
from medssl.learning.appearance import Appearance, change_appearance
from medssl.learning.cases import TrainingCase
from medssl.learning.patches import Patches
from medssl.learning.plan import Plan
from medssl.learning.spatial import Cut, Deformation, cut_image, cut_labels, cut_level_set, plan_cut

_FOREGROUND_CHANCE = 0.66  # how often a patch is centred on an annotated structure


@dataclass(frozen=True)
class Augmentation:
    """How patches differ from the scans they come from."""

    deformation: Deformation = field(default_factory=Deformation)
    appearance: Appearance = field(default_factory=Appearance)


class PatchSampler:
    """Draws patches from a list of cases.

    Cases are drawn with replacement, so that one annotated case fills any batch (most published samplers
    need as many cases as the batch has places). A centre is a random voxel of a random class that the case
    has, or any annotated voxel; with no annotation, any voxel.

    Args:
        cases: where patches come from; their tensors may be on any device, patches are cut there.
        plan: patch size, spacing, classes.
        augmentation: how patches are deformed and their appearance changed.
        with_level_set: cut the level sets as well; every case must then have its own.
    """

    def __init__(
        self, cases: Sequence[TrainingCase], plan: Plan, augmentation: Augmentation, with_level_set: bool
    ) -> None:
        self._cases = cases
        self._plan = plan
        self._augmentation = augmentation
        self._with_level_set = with_level_set
        self._mirror = tuple(sorted(MIRROR_ARRAY_AXIS[axis] for axis in plan.label_schema.mirror_axes))
        self._places = [_places(case, plan.network.classes) for case in cases]

    def draw(self, count: int, generator: Generator, device: torch.device) -> Patches:
        """Draw `count` patches onto `device`; all randomness comes from `generator` (of the CPU).

        Cases that did not fit there are cut where they are: every patch is moved by itself.
        """
        classes = self._plan.network.classes
        cuts = [self._cut(generator) for _ in range(count)]
        plain = torch.cat([cut_image(case, cut).to(device) for case, cut in cuts])
        level_sets = None
        if self._with_level_set:
            level_sets = torch.cat([cut_level_set(case, cut).to(device) for case, cut in cuts])
        return Patches(
            image=change_appearance(plain, self._augmentation.appearance, generator),
            plain=plain,
            labels=torch.cat([cut_labels(case, cut, classes).to(device) for case, cut in cuts]),
            inside=torch.cat([cut.inside.to(device) for _, cut in cuts]),
            level_set=level_sets,
        )

    def _cut(self, generator: Generator) -> tuple[TrainingCase, Cut]:
        index = int(torch.randint(len(self._cases), (), generator=generator))
        case = self._cases[index]
        shape = (int(case.image.shape[1]), int(case.image.shape[2]), int(case.image.shape[3]))
        centre = self._centre(shape, self._places[index], generator)
        return case, plan_cut(
            shape,
            centre,
            self._plan.patch_size,
            self._plan.spacing_mm,
            self._augmentation.deformation,
            self._mirror,
            generator,
            case.image.device,
        )

    def _centre(self, shape: tuple[int, int, int], places: _Places, generator: Generator) -> Tensor:
        on_structure = float(torch.rand((), generator=generator)) < _FOREGROUND_CHANCE
        voxels = places.annotated
        if places.structures and on_structure:
            voxels = places.structures[int(torch.randint(len(places.structures), (), generator=generator))]
        if voxels is None:
            voxel = int(torch.randint(math.prod(shape), (), generator=generator))
        else:
            voxel = int(voxels[int(torch.randint(len(voxels), (), generator=generator))])
        found = torch.tensor((voxel // (shape[1] * shape[2]), voxel // shape[2] % shape[1], voxel % shape[2]))
        # A patch stays inside a scan larger than it and holds all of a smaller one: what lies outside
        # teaches nothing. It begins at a whole voxel: half a voxel away, each of its own would be a mean of
        # eight, and one annotated slice would be half annotated twice.
        patch = torch.tensor(self._plan.patch_size)
        last = torch.tensor(shape) - patch
        first = (found - patch // 2).clamp(last.clamp_max(0), last.clamp_min(0))
        return first + (patch - 1) / 2


@dataclass(frozen=True)
class _Places:
    """Flat voxel indices to centre a patch on: of each structure, and of what is annotated if not all is."""

    structures: tuple[Tensor, ...]
    annotated: Tensor | None


def _places(case: TrainingCase, classes: int) -> _Places:
    if case.labels is None:
        return _Places((), None)
    flat = case.labels.flatten().cpu()
    found = (torch.nonzero(flat == index).flatten() for index in range(1, classes))
    annotated = torch.nonzero(flat != UNANNOTATED).flatten()
    partly = 0 < len(annotated) < len(flat)
    return _Places(tuple(voxels for voxels in found if len(voxels)), annotated if partly else None)
