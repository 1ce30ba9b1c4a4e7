"""Patches are cut, turned and bent without losing what they show."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from medssl.labels import UNANNOTATED
from medssl.learning.cases import TrainingCase
from medssl.learning.distance import REACH, level_set
from medssl.learning.spatial import Cut, Deformation, cut_image, cut_labels, cut_level_set, plan_cut

CPU = torch.device("cpu")
NONE = Deformation(chance=0.0, bend_chance=0.0)


def cut(
    case: TrainingCase, deformation: Deformation, seed: int = 0, mirror: tuple[int, ...] = (), centre=None
):
    shape = tuple(case.image.shape[1:])
    place = torch.tensor([(n - 1) / 2 for n in shape] if centre is None else centre)
    generator = torch.Generator().manual_seed(seed)
    return plan_cut(shape, place, (8, 8, 8), (1.0, 1.0, 1.0), deformation, mirror, generator, CPU)


def voxels(found: Cut) -> torch.Tensor:
    """Where the patch's voxels lie in the volume, `(D, H, W, 3)` as (z, y, x) indices."""
    sides = torch.tensor([part.stop - part.start for part in found.box])
    first = torch.tensor([part.start for part in found.box])
    return ((found.coordinates[0].flip(-1) + 1) * sides - 1) / 2 + first


def test_an_undeformed_patch_is_the_scan_itself(make_case) -> None:
    case = make_case(0)
    found = cut(case, NONE, centre=[9.5, 11.5, 7.5])
    assert torch.allclose(cut_image(case, found)[0], case.image[:, 6:14, 8:16, 4:12], atol=1e-5)
    assert torch.equal(cut_labels(case, found, 3)[0], case.labels[6:14, 8:16, 4:12].long())
    assert torch.allclose(cut_level_set(case, found)[0], case.level_set[:, 6:14, 8:16, 4:12], atol=1e-5)


def test_beyond_the_scan_nothing_is_known(make_case) -> None:
    case = make_case(0)
    labels = cut_labels(case, cut(case, NONE, centre=[-0.5, 13.5, 9.5]), 3)[0]
    assert (labels[:4] == UNANNOTATED).all()
    assert (labels[4:] != UNANNOTATED).all()


def test_a_case_without_labels_gives_patches_without_labels(make_case) -> None:
    case = dataclasses.replace(make_case(0), labels=None)
    assert (cut_labels(case, cut(case, NONE), 3) == UNANNOTATED).all()


def test_unannotated_slices_stay_unannotated(make_case) -> None:
    case = make_case(0)
    labels = case.labels.clone()
    labels[:12] = UNANNOTATED
    found = cut_labels(
        dataclasses.replace(case, labels=labels), cut(case, NONE, centre=[11.5, 13.5, 9.5]), 3
    )[0]
    assert (found[:4] == UNANNOTATED).all()
    assert (found[4:] != UNANNOTATED).all()


@pytest.mark.parametrize("seed", range(4))
def test_image_labels_and_level_set_are_deformed_alike(make_case, seed: int) -> None:
    case = make_case(seed)
    # The image is the label map itself, so that any difference of the two cuts would show.
    case = dataclasses.replace(case, image=case.labels[None].float())
    found = cut(case, Deformation(chance=1.0, bend_chance=1.0), seed, centre=[11.5, 9.5, 9.5])
    image, labels = cut_image(case, found)[0, 0], cut_labels(case, found, 3)[0]
    only_ball = ((image - image.round()).abs() < 0.05) & (labels != UNANNOTATED)
    assert only_ball.float().mean() > 0.5
    assert torch.equal(image[only_ball].round().long(), labels[only_ball])
    inside = cut_level_set(case, found)[0, 0] < -0.1
    assert (labels[inside] == 1).all()


def test_mirroring_happens_only_along_the_axes_allowed(make_case) -> None:
    case = make_case(0)
    plain = cut_image(case, cut(case, NONE))
    seen = [cut_image(case, cut(case, NONE, seed, mirror=(2,))) for seed in range(8)]
    mirrored = [torch.allclose(image, plain.flip(-1), atol=1e-5) for image in seen]
    same = [torch.allclose(image, plain, atol=1e-5) for image in seen]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert any(mirrored)
    assert any(same)


def test_a_patch_that_shows_things_larger_has_distances_scaled_with_it(make_case) -> None:
    case = make_case(0)
    larger = Deformation(
        rotation_deg=0.0, scale=1.5, stretch=1.0, bend_voxels=0.0, chance=1.0, bend_chance=0.0
    )
    cuts = [cut(case, larger, seed) for seed in range(6)]
    assert min(c.enlargement for c in cuts) < 0.95
    assert max(c.enlargement for c in cuts) > 1.05
    for one in cuts:
        reach = (voxels(one)[-1, 0, 0] - voxels(one)[0, 0, 0])[0]
        assert one.enlargement == pytest.approx(7 / float(reach), rel=1e-4)


def test_distances_of_a_patch_that_shows_things_smaller_are_those_of_the_patch() -> None:
    """Also where the distance saturates, and of a structure that is not there."""
    z, y, x = torch.meshgrid(*(torch.arange(64.0) - 31.5,) * 3, indexing="ij")
    ball, tau = ((z**2 + y**2 + x**2).sqrt() < 8).numpy().astype("uint8"), 10.0
    kept = torch.from_numpy(level_set(ball, 2, (1.0, 1.0, 1.0), (tau, tau), REACH))
    case = TrainingCase("ball", torch.zeros(1, 64, 64, 64), torch.from_numpy(ball), kept)
    smaller = Deformation(rotation_deg=0.0, stretch=1.0, bend_voxels=0.0, chance=1.0)
    assert smaller.scale * Deformation().stretch <= REACH
    for seed in range(8):
        found = plan_cut(
            (64, 64, 64),
            torch.full((3,), 31.5),
            (40, 40, 40),
            (1.0, 1.0, 1.0),
            smaller,
            (),
            torch.Generator().manual_seed(seed),
            CPU,
        )
        seen = cut_labels(case, found, 3)[0].numpy().astype("uint8")
        own = torch.from_numpy(level_set(seen, 2, (1.0, 1.0, 1.0), (tau, tau)))
        shown = cut_level_set(case, found)[0]
        assert (shown[1] == 1).all()
        assert float((shown[0] - own[0]).abs().mean()) < 0.05
        assert float((shown[0] - own[0]).abs()[own[0] == 1].max()) < 0.2


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "patch"),
    [
        ((1, 128, 128), (8.0, 1.0, 1.0), (1, 96, 96)),
        ((4, 96, 96), (8.0, 1.5, 1.5), (4, 64, 64)),
        ((96, 2, 96), (1.0, 8.0, 1.0), (64, 2, 64)),
    ],
)
def test_a_patch_is_not_tilted_out_of_a_scan_of_few_slices(shape, spacing_mm, patch) -> None:
    centre = torch.tensor([(side - 1) / 2 for side in shape])
    turned = Deformation(scale=1.0, stretch=1.0, bend_voxels=0.0, chance=1.0)
    shown, angles = [], []
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        found = plan_cut(shape, centre, patch, spacing_mm, turned, (), generator, CPU)
        shown.append(float(found.inside.float().mean()))
        long = max(range(3), key=lambda axis: patch[axis])
        line = voxels(found).movedim(long, 0).flatten(1, 2)[:, 0] * torch.tensor(spacing_mm)
        step = line[-1] - line[0]
        angles.append(math.degrees(math.acos(min(1.0, abs(float(step[long])) / float(step.norm())))))
    assert min(shown) > 0.6
    assert max(angles) > 10  # in their plane they turn as others do


def test_rotation_keeps_right_angles_in_millimetres(make_case) -> None:
    case = make_case(0)
    turn = Deformation(
        rotation_deg=40.0, scale=1.0, stretch=1.0, bend_voxels=0.0, chance=1.0, bend_chance=0.0
    )
    spacing = (3.0, 1.0, 1.0)
    shape = tuple(case.image.shape[1:])
    centre, generator = torch.tensor([11.5, 13.5, 9.5]), torch.Generator().manual_seed(2)
    found = plan_cut(shape, centre, (8, 8, 8), spacing, turn, (), generator, CPU)
    down = (voxels(found)[1, 0, 0] - voxels(found)[0, 0, 0]) * torch.tensor(spacing)
    across = (voxels(found)[0, 0, 1] - voxels(found)[0, 0, 0]) * torch.tensor(spacing)
    assert float(down @ across) == pytest.approx(0, abs=1e-3)
    assert float(down.norm()) == pytest.approx(3.0, abs=1e-3)
    assert float(across.norm()) == pytest.approx(1.0, abs=1e-3)


def test_the_same_seed_cuts_the_same_patch(make_case) -> None:
    case = make_case(0)
    first, second = (cut(case, Deformation(), seed=5) for _ in range(2))
    assert torch.equal(first.coordinates, second.coordinates)


def test_only_the_part_of_the_scan_that_a_patch_touches_is_looked_at(make_case) -> None:
    case = make_case(0)
    found = cut(case, Deformation(), seed=3, centre=[9.5, 11.5, 7.5])
    expected = cut_image(case, found), cut_labels(case, found, 3), cut_level_set(case, found)
    image, labels, distances = (torch.full_like(x, 99) for x in (case.image, case.labels, case.level_set))
    for kept, source in ((image, case.image), (labels, case.labels), (distances, case.level_set)):
        kept[(..., *found.box)] = source[(..., *found.box)]
    alone = dataclasses.replace(case, image=image, labels=labels, level_set=distances)
    assert torch.equal(cut_image(alone, found), expected[0])
    assert torch.equal(cut_labels(alone, found, 3), expected[1])
    assert torch.equal(cut_level_set(alone, found), expected[2])


def test_a_patch_far_beyond_the_scan_repeats_its_border_and_knows_nothing(make_case) -> None:
    case = make_case(0)
    found = cut(case, NONE, centre=[60.5, 13.5, 9.5])
    assert torch.allclose(cut_image(case, found)[0, :, 0], case.image[:, -1, 10:18, 6:14], atol=1e-5)
    assert (cut_labels(case, found, 3) == UNANNOTATED).all()


BENDING = Deformation(0.0, 1.0, 1.0, bend_voxels=2.0, chance=0.0, bend_chance=1.0)


def bent(patch: tuple[int, int, int], spacing_mm: tuple[float, float, float], seed: int) -> torch.Tensor:
    """How far each voxel of a patch is displaced, `(D, H, W, 3)` in voxels."""
    generator = torch.Generator().manual_seed(seed)
    middle = torch.tensor([100.0, 100.0, 100.0])
    found = voxels(plan_cut((201, 201, 201), middle, patch, spacing_mm, BENDING, (), generator, CPU))
    grid = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in patch), indexing="ij")
    return found - torch.stack(grid, dim=-1) - middle


@pytest.mark.parametrize(
    ("patch", "spacing_mm"),
    [
        ((32, 48, 40), (1.0, 1.0, 1.0)),
        ((16, 56, 64), (1.0, 1.0, 1.0)),
        ((8, 96, 80), (1.0, 1.0, 1.0)),
        ((4, 120, 128), (1.0, 1.0, 1.0)),
        ((8, 96, 80), (8.0, 1.0, 1.0)),
        ((16, 112, 112), (3.0, 0.7, 0.7)),
    ],
)
def test_bending_does_not_fold_a_patch(patch, spacing_mm) -> None:
    folded = []
    for seed in range(40):
        places = bent(patch, spacing_mm, seed)
        inside = tuple(slice(side - 1) for side in patch)
        along = [places.diff(dim=axis)[inside] for axis in range(3)]
        jacobian = torch.stack(along, dim=-1) + torch.eye(3)
        folded.append(float((torch.linalg.det(jacobian) <= 0).float().mean()))
    assert sum(folded) / len(folded) < 0.01


def test_bending_reaches_as_many_millimetres_along_every_axis() -> None:
    spacing_mm = (4.0, 1.0, 2.0)
    displaced = torch.stack([bent((40, 40, 40), spacing_mm, seed) for seed in range(20)])
    spread_mm = displaced.flatten(0, 3).std(dim=0) * torch.tensor(spacing_mm)
    assert torch.allclose(spread_mm, spread_mm[1].expand(3), rtol=0.15)


def test_a_single_slice_is_bent_in_its_plane_only() -> None:
    displaced = bent((1, 64, 64), (1.0, 1.0, 1.0), 0)
    assert (displaced[..., 0] == 0).all()
    assert (displaced[..., 1:].std(dim=(0, 1, 2)) > 0.5).all()
