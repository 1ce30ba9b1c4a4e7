"""Sampling works with one annotated case, a few annotated slices, tiny scans, and no annotation at all."""

from __future__ import annotations

import dataclasses

import torch
from medssl.labels import UNANNOTATED
from medssl.learning.plan import Plan
from medssl.learning.sampling import Augmentation, PatchSampler
from medssl.learning.spatial import Deformation

CPU = torch.device("cpu")
STILL = Augmentation(deformation=Deformation(chance=0.0, bend_chance=0.0))


def test_one_case_fills_any_batch(make_case, plan: Plan) -> None:
    patches = PatchSampler([make_case(0)], plan, Augmentation(), True).draw(5, torch.Generator(), CPU)
    assert patches.image.shape == (5, 1, 16, 16, 16)
    assert patches.labels.shape == (5, 16, 16, 16)
    assert patches.level_set is not None
    assert patches.level_set.shape == (5, 2, 16, 16, 16)
    assert len(patches) == 5


def test_both_structures_are_seen_often(make_case, plan: Plan) -> None:
    patches = PatchSampler([make_case(0)], plan, STILL, False).draw(40, torch.Generator().manual_seed(0), CPU)
    for index in (1, 2):
        assert (patches.labels == index).flatten(1).any(dim=1).float().mean() > 0.3


def test_patches_lie_inside_a_scan_that_is_larger(make_case, plan: Plan) -> None:
    patches = PatchSampler([make_case(0)], plan, STILL, False).draw(20, torch.Generator().manual_seed(0), CPU)
    assert (patches.labels != UNANNOTATED).all()


def test_a_scan_smaller_than_the_patch_is_held_whole(make_case, plan: Plan) -> None:
    case = make_case(0)
    tiny = dataclasses.replace(
        case,
        image=case.image[:, 6:15, 4:13, 6:14],
        labels=case.labels[6:15, 4:13, 6:14],
        level_set=case.level_set[:, 6:15, 4:13, 6:14],
    )
    patches = PatchSampler([tiny], plan, STILL, False).draw(10, torch.Generator().manual_seed(0), CPU)
    held = (patches.labels != UNANNOTATED).flatten(1).sum(dim=1)
    # A centre between voxels blurs the outermost layer away at most.
    assert (held >= 8 * 8 * 7).all()
    assert (held <= 9 * 9 * 8).all()


def test_a_case_annotated_on_a_few_slices_is_looked_at_there(make_case, plan: Plan) -> None:
    case = make_case(0)
    labels = torch.full_like(case.labels, UNANNOTATED)
    labels[2] = case.labels[2]
    partly = dataclasses.replace(case, labels=labels)
    patches = PatchSampler([partly], plan, STILL, False).draw(10, torch.Generator().manual_seed(0), CPU)
    assert (patches.labels != UNANNOTATED).flatten(1).any(dim=1).all()


def test_unannotated_cases_give_images_only(make_case, plan: Plan) -> None:
    case = dataclasses.replace(make_case(0), labels=None, level_set=None)
    patches = PatchSampler([case], plan, Augmentation(), False).draw(3, torch.Generator(), CPU)
    assert (patches.labels == UNANNOTATED).all()
    assert patches.level_set is None


def test_the_same_seed_draws_the_same_batch(make_case, plan: Plan) -> None:
    sampler = PatchSampler([make_case(0), make_case(1)], plan, Augmentation(), True)
    first = sampler.draw(3, torch.Generator().manual_seed(7), CPU)
    second = sampler.draw(3, torch.Generator().manual_seed(7), CPU)
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.labels, second.labels)


def test_the_plain_patch_keeps_the_scans_own_look(make_case, plan: Plan) -> None:
    case = make_case(0)
    patches = PatchSampler([case], plan, STILL, False).draw(4, torch.Generator().manual_seed(0), CPU)
    assert not torch.allclose(patches.image, patches.plain)
    assert patches.plain.min() >= case.image.min() - 1e-4
    assert patches.plain.max() <= case.image.max() + 1e-4


def test_patches_know_where_the_scan_ends_whether_it_is_annotated_or_not(make_case, plan: Plan) -> None:
    case = make_case(0)
    tiny = dataclasses.replace(
        case, image=case.image[:, :12], labels=case.labels[:12], level_set=case.level_set[:, :12]
    )
    patches, unannotated = (
        PatchSampler([of], plan, Augmentation(), False).draw(20, torch.Generator().manual_seed(0), CPU)
        for of in (tiny, dataclasses.replace(tiny, labels=None))
    )
    assert 0.05 < (~patches.inside).float().mean() < 0.6
    known = patches.labels != UNANNOTATED
    assert patches.inside[known].all()
    assert known[patches.inside].float().mean() > 0.97  # at the scan's edges and corners labels fade a bit
    assert 0.05 < (~unannotated.inside).float().mean() < 0.6
