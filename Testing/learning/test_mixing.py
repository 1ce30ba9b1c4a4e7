"""Boxes pasted from patch to patch keep image, labels and level set together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from medssl.labels import UNANNOTATED
from medssl.learning.cases import TrainingCase
from medssl.learning.distance import level_set
from medssl.learning.mixing import LEAST_SIDE, MOST_SIDE, Boxes, draw_boxes, mix_within, paste
from medssl.learning.patches import Patches
from medssl.learning.plan import Plan
from medssl.learning.sampling import Augmentation, PatchSampler
from medssl.learning.spatial import NONE

CPU = torch.device("cpu")
Maker = Callable[[int], TrainingCase]


def draw(make_case: Maker, plan: Plan, seed: int, count: int = 4) -> Patches:
    sampler = PatchSampler([make_case(seed)], plan, Augmentation(deformation=NONE), True)
    return sampler.draw(count, torch.Generator().manual_seed(seed), CPU)


def draw_many(labels: torch.Tensor, chance: float = 1.0) -> Boxes:
    return draw_boxes(labels.expand(200, -1, -1, -1), torch.Generator().manual_seed(0), chance)


def test_what_is_in_the_box_is_the_donors_and_the_rest_is_the_hosts(make_case: Maker, plan: Plan) -> None:
    host, donor = draw(make_case, plan, 0), draw(make_case, plan, 1)
    boxes = draw_boxes(donor.labels, torch.Generator().manual_seed(0))
    mixed = paste(host, donor, boxes, plan)
    for index in range(4):
        (z, y, x), (z_end, y_end, x_end) = boxes.start[index].tolist(), boxes.stop[index].tolist()
        box = (slice(z, z_end), slice(y, y_end), slice(x, x_end))
        for name in ("image", "plain", "labels"):
            expected = getattr(host, name)[index].clone()
            expected[(..., *box)] = getattr(donor, name)[index][(..., *box)]
            assert torch.equal(getattr(mixed, name)[index], expected), name


def test_the_patches_that_are_mixed_stay_as_they_are(make_case: Maker, plan: Plan) -> None:
    host = draw(make_case, plan, 0)
    before = [host.image.clone(), host.labels.clone(), host.level_set.clone()]
    mix_within(host, plan, torch.Generator().manual_seed(0), chance=1.0)
    assert all(map(torch.equal, before, [host.image, host.labels, host.level_set]))


def test_a_level_set_is_that_of_the_mixed_labels_or_unknown(plan: Plan) -> None:
    generator = torch.Generator().manual_seed(2)
    labels = torch.zeros((6, 16, 16, 16), dtype=torch.int64)
    places = torch.stack(torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij"), dim=-1)
    for patch in labels:
        for index in (1, 2):
            centre = torch.rand(3, generator=generator) * 16
            radius = 3 + 2 * torch.rand((), generator=generator)
            patch[(places - centre).norm(dim=-1) < radius] = index

    def truth(classes: torch.Tensor) -> torch.Tensor:
        maps = [level_set(c.to(torch.uint8).numpy(), 2, plan.spacing_mm, plan.level_set_mm) for c in classes]
        return torch.stack([torch.from_numpy(m) for m in maps])

    image = torch.zeros((6, 1, 16, 16, 16))
    mixed = mix_within(Patches(image, image, labels, truth(labels)), plan, generator, chance=1.0)
    assert mixed.level_set is not None
    assert not torch.equal(mixed.labels, labels)
    known = mixed.level_set.isfinite()
    assert torch.equal(mixed.level_set[known], truth(mixed.labels)[known])
    assert 0.2 < known.float().mean() < 1


def test_patches_without_level_sets_paste_unknown_ones(make_case: Maker, plan: Plan) -> None:
    host = draw(make_case, plan, 0)
    donor = dataclasses.replace(draw(make_case, plan, 1), level_set=None)
    boxes = draw_boxes(donor.labels, torch.Generator().manual_seed(0))
    inside = boxes.inside((16, 16, 16), CPU).unsqueeze(1).expand(-1, 2, -1, -1, -1)
    mixed = paste(host, donor, boxes, plan)
    assert mixed.level_set is not None
    assert mixed.level_set[inside].isnan().all()
    assert mixed.level_set[~inside].isfinite().any()
    bare = dataclasses.replace(host, level_set=None)
    assert paste(bare, donor, boxes, plan).level_set is None


def test_a_face_on_the_face_of_the_patch_parts_nothing(make_case: Maker, plan: Plan) -> None:
    host, donor = draw(make_case, plan, 0, 1), draw(make_case, plan, 1, 1)
    whole = Boxes(torch.zeros((1, 3), dtype=torch.int64), torch.full((1, 3), 16))
    mixed = paste(host, donor, whole, plan)
    assert torch.equal(mixed.labels, donor.labels)
    assert torch.equal(mixed.level_set, donor.level_set)


def test_distances_to_the_other_patch_are_in_millimetres() -> None:
    boxes = Boxes(torch.tensor([[2, 0, 3], [0, 0, 0]]), torch.tensor([[5, 4, 6], [0, 0, 0]]))
    distance = boxes.distance_mm((8, 8, 8), (3.0, 1.0, 2.0), CPU)
    assert distance[0, 3, 0, 4] == 4  # two voxels of 2 mm along x; y = 0 is the patch's own face
    assert distance[0, 2, 3, 4] == 1
    assert distance[0, 0, 5, 4] == pytest.approx((6**2 + 2**2) ** 0.5)
    assert distance[1].isinf().all()


def test_every_patch_has_a_box_of_its_own_of_the_sides_asked_for() -> None:
    boxes = draw_many(torch.zeros((1, 20, 40, 16), dtype=torch.int64))
    sides = (boxes.stop - boxes.start) / torch.tensor([20, 40, 16])
    assert (boxes.start >= 0).all()
    assert (boxes.stop <= torch.tensor([20, 40, 16])).all()
    assert sides.min() >= LEAST_SIDE - 0.05
    assert sides.max() <= MOST_SIDE + 0.05
    assert len(boxes.start.unique(dim=0)) > 100


def test_half_of_the_boxes_or_more_take_a_structure_along() -> None:
    labels = torch.zeros((1, 24, 24, 24), dtype=torch.int64)
    labels[:, :3, :3, :3] = 2
    labels[:, 20:] = UNANNOTATED
    boxes = draw_many(labels)
    held = (boxes.inside((24, 24, 24), CPU) & (labels == 2)).flatten(1).sum(dim=1) / 27
    assert 0.4 < (held >= 0.29).float().mean() < 0.7


def test_a_structure_too_large_for_a_box_is_taken_along_as_far_as_it_goes() -> None:
    boxes = draw_many(torch.ones((1, 10, 10, 10), dtype=torch.int64))
    assert (boxes.stop > boxes.start).all()


def test_chance_leaves_patches_as_they_are(make_case: Maker, plan: Plan) -> None:
    patches = draw(make_case, plan, 0)
    same = mix_within(patches, plan, torch.Generator(), chance=0.0)
    assert torch.equal(same.image, patches.image)
    assert torch.equal(same.labels, patches.labels)
    assert torch.equal(same.level_set, patches.level_set)
    drawn = draw_many(patches.labels[:1], chance=0.5)
    assert 0.35 < (drawn.stop > drawn.start).all(dim=1).float().mean() < 0.65


def test_the_same_seed_mixes_the_same(make_case: Maker, plan: Plan) -> None:
    patches = draw(make_case, plan, 0)
    first, second = (mix_within(patches, plan, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.image, second.image)
