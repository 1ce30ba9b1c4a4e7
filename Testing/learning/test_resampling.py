"""Resampling reads no more slices than it mixes, and loses no voxel that somebody looked at."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from medssl.learning.resampling import cells_with_any, resample_slabs
from numpy.typing import NDArray

_SIDES = st.tuples(*[st.integers(1, 7)] * 3)


def cells_along(marked: NDArray[np.bool_], after: int) -> NDArray[np.bool_]:
    """The same along one axis, voxel by voxel: `marked` has one axis."""
    before = len(marked)
    found = np.zeros(after, dtype=np.bool_)
    if after < before:  # the cell that the voxel's centre lies in
        for index in np.flatnonzero(marked):
            found[int(Fraction(2 * int(index) + 1, 2) * after / before)] = True
    else:  # the voxel that the cell's centre lies in
        for index in range(after):
            found[index] = marked[int(Fraction(2 * index + 1, 2) * before / after)]
    return found


@given(source=_SIDES, target=_SIDES, share=st.floats(0, 1), seed=st.integers(0, 1000))
def test_a_cell_is_marked_where_a_marked_voxel_is(
    source: tuple[int, int, int], target: tuple[int, int, int], share: float, seed: int
) -> None:
    mask = np.random.default_rng(seed).random(source) < share
    expected = mask
    for axis in range(3):
        expected = np.apply_along_axis(cells_along, axis, expected, target[axis])
    assert (cells_with_any(mask, target) == expected).all()


@pytest.mark.parametrize(("before", "after"), [(40, 10), (40, 27), (12, 30), (5, 5)])
def test_no_slice_is_read_that_is_further_away_than_the_triangle_is_wide(before: int, after: int) -> None:
    asked: list[tuple[int, int]] = []

    def read(first: int, last: int) -> torch.Tensor:
        asked.append((first, last))
        return torch.ones((1, last - first, 2, 2))

    parts = list(resample_slabs(read, 1, (before, 2, 2), (after, 2, 2), slab_voxels=1))

    assert [(part.start, part.stop) for part, _ in parts] == [(index, index + 1) for index in range(after)]
    width = max(1.0, before / after)
    for index, (first, last) in enumerate(asked):
        centre = (index + 0.5) * before / after - 0.5
        assert max(0.0, centre - width) <= first < last <= min(before, centre + width + 1)


@given(source=_SIDES, target=_SIDES, seed=st.integers(0, 1000))
def test_every_voxel_is_the_mean_that_is_promised_also_where_an_axis_has_one(
    source: tuple[int, int, int], target: tuple[int, int, int], seed: int
) -> None:
    voxels = torch.rand((2, *source), generator=torch.Generator().manual_seed(seed))
    parts = resample_slabs(lambda first, last: voxels[:, first:last], 2, source, target)
    found = torch.cat([part for _, part in parts], dim=1)
    expected = voxels.numpy()
    for axis, (before, after) in enumerate(zip(source, target, strict=True), start=1):
        width = max(1.0, before / after)
        centres = (np.arange(after) + 0.5) * before / after - 0.5
        weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(before)) / width)
        weights /= weights.sum(axis=1, keepdims=True)
        expected = np.moveaxis(np.tensordot(weights, expected, (1, axis)), 0, axis)
    np.testing.assert_allclose(found, expected, atol=1e-5)
