"""Another appearance is another acquisition of the same anatomy, never nonsense."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from medssl.learning.appearance import Appearance, change_appearance

ALWAYS = Appearance(chance=1.0, rare_chance=1.0)
NEVER = Appearance(chance=0.0, rare_chance=0.0)
NOTHING = dataclasses.replace(
    ALWAYS, gamma=1.0, contrast=0.0, brightness=0.0, bias=0.0, noise=0.0, blur_voxels=1e-3, coarseness=1.0
)


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn((3, 2, 10, 12, 8), generator=torch.Generator().manual_seed(1))


def test_with_no_chance_nothing_changes(image: torch.Tensor) -> None:
    assert torch.equal(change_appearance(image, NEVER, torch.Generator()), image)


@pytest.mark.parametrize("seed", range(5))
def test_every_change_gives_finite_values_in_a_sane_range(image: torch.Tensor, seed: int) -> None:
    found = change_appearance(image, ALWAYS, torch.Generator().manual_seed(seed))
    assert found.shape == image.shape
    assert torch.isfinite(found).all()
    assert found.abs().max() < 12 * image.abs().max()


def test_a_constant_patch_stays_finite() -> None:
    found = change_appearance(torch.zeros((1, 1, 8, 8, 8)), ALWAYS, torch.Generator().manual_seed(0))
    assert torch.isfinite(found).all()


def changed_by(image: torch.Tensor, **strength: float) -> torch.Tensor:
    """Change an image in the one way that is given a strength."""
    return change_appearance(
        image, dataclasses.replace(NOTHING, **strength), torch.Generator().manual_seed(3)
    )


def roughness(image: torch.Tensor) -> torch.Tensor:
    """How much neighbours differ in each channel of each patch."""
    steps = [image.diff(dim=axis).abs().mean(dim=(2, 3, 4)) for axis in (2, 3, 4)]
    return torch.stack(steps).sum(dim=0)


def test_without_strength_nothing_changes(image: torch.Tensor) -> None:
    assert torch.allclose(changed_by(image), image, atol=1e-5)


def test_brightness_shifts_all_voxels_alike(image: torch.Tensor) -> None:
    shift = (changed_by(image, brightness=0.3) - image).flatten(2)
    assert shift.std(dim=2).max() < 1e-5
    assert 0.1 < shift.abs().max() <= 0.3


def test_contrast_stretches_all_voxels_alike(image: torch.Tensor) -> None:
    factor = (changed_by(image, contrast=0.3) / image).flatten(2)
    assert factor.std(dim=2).max() < 1e-3
    assert 0.1 < (factor - 1).abs().max() <= 0.3 + 1e-3


def test_noise_is_each_voxels_own_and_as_strong_as_was_asked(image: torch.Tensor) -> None:
    noise = changed_by(image, noise=0.25) - image
    spread = noise.flatten(2).std(dim=2)
    assert 0.05 < spread.max() < 0.3
    assert (noise.flatten(2).mean(dim=2).abs() < 0.2 * spread).all()
    assert (roughness(noise) > 2.5 * spread).all()  # three axes; neighbours have nothing in common


def test_bias_is_a_smooth_factor_above_the_darkest_voxel(image: torch.Tensor) -> None:
    darkest = image.amin(dim=(2, 3, 4), keepdim=True)
    factor = (changed_by(image, bias=0.3) - darkest) / (image - darkest).clamp_min(1e-3)
    field = torch.where(image - darkest > 0.5, factor, torch.nan).log()
    spread = torch.tensor([each[each.isfinite()].std() for each in field.flatten(0, 1)])
    steps = torch.cat([field.diff(dim=axis).flatten() for axis in (2, 3, 4)])
    assert 0.05 < spread.mean() < 0.6
    assert steps[steps.isfinite()].abs().mean() < 0.4 * spread.mean()


def test_blur_spreads_a_voxel_and_loses_nothing_of_it() -> None:
    point = torch.zeros((1, 4, 15, 15, 15))
    point[..., 7, 7, 7] = 1.0
    found = changed_by(point, blur_voxels=1.0)
    assert torch.allclose(found.sum(dim=(2, 3, 4)), torch.ones((1, 4)), atol=1e-4)
    assert found[..., 7, 7, 7].max() < 0.9
    for axis in (2, 3, 4):
        assert torch.allclose(found.flip(axis), found, atol=1e-6)
    assert (found[..., 7, 7, 7] > found[..., 7, 7, 8]).all()
    assert found[..., 7, 7, 8].min() > 0


def test_lost_resolution_leaves_fewer_details_and_no_new_intensities(image: torch.Tensor) -> None:
    found = changed_by(image, coarseness=2.0)
    assert (roughness(found) <= roughness(image) + 1e-5).all()
    assert (roughness(found) / roughness(image)).mean() < 0.8
    assert (found.amax(dim=(2, 3, 4)) <= image.amax(dim=(2, 3, 4)) + 1e-5).all()
    assert (found.amin(dim=(2, 3, 4)) >= image.amin(dim=(2, 3, 4)) - 1e-5).all()


def test_gamma_keeps_the_order_of_intensities(image: torch.Tensor) -> None:
    found = changed_by(image[:, :1], gamma=1.8)
    assert not torch.allclose(found, image[:, :1], atol=0.05)
    for before, after in zip(image[:, 0], found[:, 0], strict=True):
        assert (after.flatten()[before.flatten().argsort()].diff() >= -1e-5).all()


def test_patches_of_a_batch_change_independently(image: torch.Tensor) -> None:
    same = image[:1].repeat(2, 1, 1, 1, 1)
    found = change_appearance(same, ALWAYS, torch.Generator().manual_seed(0))
    assert not torch.allclose(found[0], found[1])


def test_the_same_seed_gives_the_same_appearance(image: torch.Tensor) -> None:
    first, second = (change_appearance(image, ALWAYS, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)


def test_the_input_is_left_as_it_was(image: torch.Tensor) -> None:
    before = image.clone()
    change_appearance(image, ALWAYS, torch.Generator().manual_seed(0))
    assert torch.equal(image, before)


def test_every_channel_changes_for_itself(image: torch.Tensor) -> None:
    channels = image[:1, :1].expand(1, 3, *image.shape[2:])
    noiseless = Appearance(noise=0.0, chance=1.0)
    changed = change_appearance(channels, noiseless, torch.Generator().manual_seed(0))[0]
    assert not torch.allclose(changed[0], changed[1], atol=0.05)
    assert not torch.allclose(changed[1], changed[2], atol=0.05)
