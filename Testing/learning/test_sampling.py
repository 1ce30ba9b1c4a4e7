"""Sampling works with one annotated case, a few annotated slices, tiny scans, and no annotation at all."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from medssl.labels import UNANNOTATED, MirrorAxis
from medssl.learning import sampling
from medssl.learning.appearance import Appearance
from medssl.learning.cases import TrainingCase, bytes_of
from medssl.learning.plan import Plan
from medssl.learning.residence import moved_close
from medssl.learning.sampling import Augmentation, PatchSampler
from medssl.learning.spatial import Deformation
from torch._subclasses.fake_tensor import FakeTensorMode

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


def test_a_small_structure_of_a_large_scan_is_in_two_of_three_patches(plan: Plan) -> None:
    labels = torch.zeros((64, 64, 64), dtype=torch.uint8)
    labels[40:42, 10:12, 20:22] = 1
    case = TrainingCase("large", torch.zeros((1, *labels.shape)), labels)
    plainly = dataclasses.replace(STILL, appearance=Appearance(chance=0.0, rare_chance=0.0))
    patches = PatchSampler([case], plan, plainly, False).draw(100, torch.Generator().manual_seed(0), CPU)
    # By chance alone it would be in one of fifty.
    assert 0.5 < (patches.labels == 1).flatten(1).any(dim=1).float().mean() < 0.85


@pytest.mark.parametrize("axes", [(), ("left-right",), ("up-down", "front-back")])
def test_patches_are_mirrored_along_the_axes_of_the_label_schema(
    plan: Plan, axes: tuple[MirrorAxis, ...]
) -> None:
    schema = plan.label_schema.model_copy(update={"mirror_axes": axes})
    ramps = torch.stack(torch.meshgrid(*(torch.arange(20.0),) * 3, indexing="ij"))
    of_schema = plan.model_copy(update={"label_schema": schema})
    sampler = PatchSampler([TrainingCase("ramps", ramps, None)], of_schema, STILL, False)
    plain = sampler.draw(20, torch.Generator().manual_seed(0), CPU).plain
    for axis, name in enumerate(("up-down", "front-back", "left-right")):
        falls = plain[:, axis].diff(dim=1 + axis).mean(dim=(1, 2, 3)) < 0
        assert int(falls.sum()) in (range(4, 17) if name in axes else [0])


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
    assert (held == 9 * 9 * 8).all()


def test_a_case_annotated_on_a_few_slices_is_looked_at_there(make_case, plan: Plan) -> None:
    case = make_case(0)
    for place in (2, 12):  # where the patch is held back by the scan's end, and where it is not
        labels = torch.full_like(case.labels, UNANNOTATED)
        labels[place] = case.labels[place]
        partly = dataclasses.replace(case, labels=labels)
        patches = PatchSampler([partly], plan, STILL, False).draw(10, torch.Generator().manual_seed(0), CPU)
        known = (patches.labels != UNANNOTATED).any(dim=(2, 3))
        assert (known.sum(dim=1) == 1).all()


@pytest.mark.parametrize("annotated", [True, False])
def test_a_patch_that_is_not_deformed_shows_the_scans_own_voxels(
    make_case, plan: Plan, annotated: bool
) -> None:
    case = make_case(0)
    noise = torch.randn(case.image.shape, generator=torch.Generator().manual_seed(0))
    case = dataclasses.replace(case, image=noise, labels=case.labels if annotated else None)
    patches = PatchSampler([case], plan, STILL, False).draw(6, torch.Generator().manual_seed(0), CPU)
    voxels = {round(float(value), 4) for value in noise.flatten()}
    for patch in patches.plain:
        assert {round(float(value), 4) for value in patch[0, 4:8, 4:8, 4:8].flatten()} <= voxels


def test_cases_of_which_one_did_not_fit_the_gpu_make_one_batch(
    make_case, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = PatchSampler([make_case(0)], plan, STILL, False)
    cuts = [sampler._cut(torch.Generator().manual_seed(0)) for _ in range(2)]
    gpu = torch.device("cuda:0")
    # Tensors without voxels, which know of a GPU that this computer need not have.
    with FakeTensorMode(allow_non_fake_inputs=True):
        fakes = [TrainingCase(name, torch.empty(1, 24, 28, 20), None) for name in ("fits", "does not")]
        placed = moved_close(fakes, gpu, bytes_of(fakes[0]))
        assert [case.image.device for case in placed] == [gpu, CPU]
        size = cuts[0][1].coordinates.shape
        drawn = [
            (case, dataclasses.replace(cut, coordinates=torch.empty(size, device=case.image.device)))
            for case, (_, cut) in zip(placed, cuts, strict=True)
        ]
        monkeypatch.setattr(sampler, "_cut", lambda generator: drawn.pop())
        monkeypatch.setattr(
            sampling, "cut_image", lambda case, cut: torch.empty(1, 1, 16, 16, 16, device=case.image.device)
        )
        monkeypatch.setattr(sampling, "change_appearance", lambda plain, *_: plain)
        patches = sampler.draw(2, torch.Generator(), gpu)
        assert {x.device for x in (patches.image, patches.labels, patches.inside)} == {gpu}


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
