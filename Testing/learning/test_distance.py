"""Level sets: methods.md A.2, both the form that is used and the published one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from medssl.learning.cases import TrainingCase
from medssl.learning.distance import inradii, level_set, official_level_set, saturation_of_radii
from medssl.learning.level_sets import class_probabilities
from medssl.learning.spatial import cut_labels, cut_level_set, cut_through
from numpy.typing import NDArray

UNIT = (1.0, 1.0, 1.0)


def ball(size: int = 25, radius: float = 8.0) -> NDArray[np.bool_]:
    z, y, x = np.ogrid[:size, :size, :size]
    centre = size // 2
    return (z - centre) ** 2 + (y - centre) ** 2 + (x - centre) ** 2 <= radius**2


def random_mask(seed: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    return rng.random(rng.integers(1, 9, size=3)) < rng.random()


def one_class(mask: NDArray[np.bool_], tau: float = 5.0) -> NDArray[np.float32]:
    return level_set(mask.astype(np.uint8), 1, UNIT, [tau])[0]


@given(st.integers(0, 2**32))
@examples(max_examples=60)
def test_the_sign_is_the_class_of_every_voxel(seed: int) -> None:
    mask = random_mask(seed)
    signed = one_class(mask)
    assert (signed[mask] < 0).all()
    assert (signed[~mask] > 0).all()
    assert np.abs(signed).max() <= 1


def test_a_structure_one_voxel_thick_keeps_its_inside() -> None:
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[4] = True
    assert (one_class(mask)[4] < 0).all()
    assert not (official_level_set(mask) < 0).any()  # the published form has no inside here


def test_the_task_transform_of_the_level_set_is_the_structure() -> None:
    mask = ball()
    signed = torch.from_numpy(one_class(mask))[None, None]
    inside = class_probabilities(signed, [1500.0])[0, 1] > 0.5
    assert (inside.numpy() == mask).all()


@given(st.integers(0, 2**32))
@examples(max_examples=60)
def test_the_published_level_set_is_not_positive_exactly_in_the_structure(seed: int) -> None:
    mask = random_mask(seed)
    if mask.all() or not mask.any():
        return
    signed = official_level_set(mask)
    assert ((signed <= 0) == mask).all()
    assert signed.min() >= -1
    assert signed.max() == 1


def test_the_published_level_set_is_zero_on_the_inner_border_and_minus_one_at_the_deepest_voxel() -> None:
    mask = ball()
    signed = official_level_set(mask)
    shell = mask & ~(
        mask
        & np.roll(mask, 1, 0)
        & np.roll(mask, -1, 0)
        & np.roll(mask, 1, 1)
        & np.roll(mask, -1, 1)
        & np.roll(mask, 1, 2)
        & np.roll(mask, -1, 2)
    )
    assert (signed[shell] == 0).all()
    assert (signed[mask & ~shell] < 0).all()
    assert signed[12, 12, 12] == -1


def test_a_class_that_is_absent_is_outside_everywhere_and_one_that_fills_the_scan_inside() -> None:
    empty, full = np.zeros((4, 5, 6), dtype=bool), np.ones((4, 5, 6), dtype=bool)
    assert (one_class(empty) == 1).all()
    assert (one_class(full) == -1).all()
    assert (official_level_set(empty) == 0).all()
    assert np.isnan(official_level_set(full)).all()


@given(st.integers(0, 2**32), st.integers(0, 2))
@examples(max_examples=40)
def test_flipping_before_or_after_is_the_same(seed: int, axis: int) -> None:
    mask = random_mask(seed)
    np.testing.assert_allclose(one_class(np.flip(mask, axis)), np.flip(one_class(mask), axis), atol=1e-6)
    np.testing.assert_allclose(
        official_level_set(np.flip(mask, axis)), np.flip(official_level_set(mask), axis), atol=1e-6
    )


def test_a_voxel_has_one_value_whatever_patch_it_is_in_but_not_in_the_published_form() -> None:
    mask = ball()
    image, labels = torch.zeros((1, *mask.shape)), torch.from_numpy(mask.astype(np.uint8))
    case = TrainingCase("ball", image, labels, torch.from_numpy(one_class(mask))[None])
    ours, theirs = [], []
    for low in (2, 6):  # both patches have voxels 6..17, and each cuts another part of the ball off
        steps = [torch.arange(float(low), low + 16)] * 3
        cut = cut_through(torch.stack(torch.meshgrid(*steps, indexing="ij"), dim=-1), mask.shape)
        shared = (..., *[slice(6 - low, 18 - low)] * 3)
        ours.append(cut_level_set(case, cut)[shared].numpy())
        theirs.append(official_level_set(cut_labels(case, cut, 2)[0].numpy() == 1)[shared])
    np.testing.assert_allclose(*ours, atol=1e-5)
    assert ours[0].min() < 0 < ours[0].max()
    assert np.abs(theirs[0] - theirs[1]).max() > 0.01


def test_distances_are_in_millimetres_between_faces() -> None:
    mask = np.zeros((1, 1, 20), dtype=bool)
    mask[..., 10:] = True
    signed = level_set(mask.astype(np.uint8), 1, (5.0, 4.0, 2.0), [10.0])[0, 0, 0]
    np.testing.assert_allclose(signed[7:13] * 10, [5, 3, 1, -1, -3, -5], rtol=1e-6)
    assert signed[0] == 1
    assert signed[19] == -1


def test_every_class_has_its_own_level_set() -> None:
    classes = np.zeros((1, 1, 30), dtype=np.uint8)
    classes[..., 5:10], classes[..., 10:20] = 1, 2
    signed = level_set(classes, 3, UNIT, [4.0, 8.0, 8.0])
    assert ((signed[0] < 0) == (classes == 1)).all()
    assert ((signed[1] < 0) == (classes == 2)).all()
    assert (signed[2] == 1).all()


def test_no_distance_is_made_up_where_nobody_looked() -> None:
    truth = ball().astype(np.uint8)
    seen = np.full_like(truth, 255)
    seen[[6, 12, 18]] = truth[[6, 12, 18]]
    partial = level_set(seen, 1, UNIT, [5.0])[0]
    whole = level_set(truth, 1, UNIT, [5.0])[0]
    given_there = np.isfinite(partial)
    assert np.isnan(partial[seen == 255]).all()
    assert given_there[12].any()
    assert not given_there[12, 12, 12]  # the border may be in the next slice
    np.testing.assert_allclose(partial[given_there], whole[given_there], atol=1e-6)


def test_a_distance_beyond_saturation_is_known_however_much_is_not_annotated() -> None:
    classes = np.zeros((1, 1, 40), dtype=np.uint8)
    classes[..., 30:] = 255
    signed = level_set(classes, 1, UNIT, [5.0])[0, 0, 0]
    assert (signed[:24] == 1).all()
    assert np.isnan(signed[26:]).all()


def test_the_saturation_follows_the_median_inradius() -> None:
    radius = 8.0
    measured = inradii(ball(radius=radius).astype(np.uint8), 2, UNIT)
    assert measured[0] == pytest.approx(radius + 1, abs=1)
    assert measured[1] == 0
    rows = [(4.0, 0.0), (8.0, 0.0), (6.0, 0.0)]
    assert saturation_of_radii(rows, UNIT) == (9.0, 10.0)
    assert saturation_of_radii([(0.5, 0.5)], UNIT) == (3.0, 3.0)  # never less than three voxels
