"""Another appearance is another acquisition of the same anatomy, never nonsense."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from medssl.learning.appearance import Appearance, change_appearance

ALWAYS = Appearance(chance=1.0, rare_chance=1.0)
NEVER = Appearance(chance=0.0, rare_chance=0.0)


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


def test_gamma_keeps_the_order_of_intensities(image: torch.Tensor) -> None:
    only_gamma = dataclasses.replace(
        ALWAYS, contrast=0, brightness=0, bias=0, noise=0, rare_chance=0.0
    )  # fmt: skip
    found = change_appearance(image[:, :1], only_gamma, torch.Generator().manual_seed(3))
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
