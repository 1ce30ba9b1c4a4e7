from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.reports.outlines import trace
from numpy.typing import NDArray


def polygons(path: str) -> list[NDArray[np.int_]]:
    """Read a path of closed relative polygons back into corners (x, y)."""
    loops = []
    for loop in re.findall(r"M([^z]*)z", path):
        numbers = [int(number) for number in re.findall(r"-?\d+", loop)]
        loops.append(np.cumsum(np.array(numbers).reshape(-1, 2), axis=0))
    return loops


def area(corners: NDArray[np.int_]) -> float:
    x, y = corners[:, 0], corners[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def test_an_empty_mask_has_no_outline() -> None:
    assert trace(np.zeros((4, 5), dtype=bool)) == ""


def test_a_pixel_becomes_a_diamond_in_its_middle() -> None:
    mask = np.zeros((3, 4), dtype=bool)
    mask[1, 2] = True
    (corners,) = polygons(trace(mask))
    assert {tuple(corner) for corner in corners.tolist()} == {(5, 2), (6, 3), (5, 4), (4, 3)}


def test_straight_borders_take_one_number_however_long_they_are() -> None:
    assert len(trace(np.ones((200, 300), dtype=bool))) < 60


def test_a_hole_is_a_polygon_of_its_own_that_turns_the_other_way() -> None:
    mask = np.ones((7, 7), dtype=bool)
    mask[2:5, 2:5] = False
    outer, hole = sorted((area(corners) for corners in polygons(trace(mask))), reverse=True)
    assert outer > 0 > hole


def test_pixels_that_touch_at_a_corner_stay_apart() -> None:
    assert len(polygons(trace(np.eye(4, dtype=bool)))) == 4


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12))
def test_the_outline_encloses_the_masks_area_but_for_its_corners(seed: int, height: int, width: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.6
    loops = polygons(trace(mask))
    # A corner that is cut off takes an eighth of a pixel away, one in a dent gives it back; in half pixels
    # a pixel has an area of 4. Whatever the shape, every loop closes and none is lost.
    edges = sum(np.abs(np.diff(np.pad(mask, 1).astype(int), axis=axis)).sum() for axis in (0, 1))
    assert sum(area(corners) for corners in loops) == pytest.approx(4 * mask.sum(), abs=edges / 2)
    assert all(corners.min() >= 0 for corners in loops)
    assert all(
        (corners[:, 0] <= 2 * width).all() and (corners[:, 1] <= 2 * height).all() for corners in loops
    )
