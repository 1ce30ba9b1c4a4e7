from __future__ import annotations

import numpy as np
from medssl.inference.components import keep_largest
from medssl.labels import PALETTE, LabelSchema, Segment

SCHEMA = LabelSchema(
    segments=(
        Segment(name="Whole", value=3, colour=PALETTE[0], largest_component=True),
        Segment(name="Pieces", value=200, colour=PALETTE[1]),
    )
)


def two_blobs_each() -> np.ndarray:
    values = np.zeros((10, 12, 14), np.uint8)
    values[1:4, 1:4, 1:4] = 3
    values[7:9, 8:10, 10:12] = 3
    values[1:4, 8:10, 1:3] = 200
    values[8, 1, 1] = 200
    return values


def test_only_segments_that_ask_for_it_lose_their_smaller_pieces() -> None:
    values = two_blobs_each()
    before = values.copy()
    cleaned = keep_largest(values, SCHEMA)
    assert (cleaned == 3).sum() == 27
    assert (cleaned[1:4, 1:4, 1:4] == 3).all()
    np.testing.assert_array_equal(cleaned == 200, before == 200)
    np.testing.assert_array_equal(values, before)


def test_the_largest_piece_stays_wherever_it_lies() -> None:
    values = two_blobs_each()[::-1, ::-1, ::-1].copy()  # the small piece comes first now
    cleaned = keep_largest(values, SCHEMA)
    assert (cleaned == 3).sum() == 27
    assert (cleaned[6:9, 8:11, 10:13] == 3).all()


def test_parts_that_touch_at_a_corner_hold_together() -> None:
    values = np.zeros((6, 6, 6), np.uint8)
    values[1:3, 1:3, 1:3] = 3
    values[3:5, 3:5, 3:5] = 3
    np.testing.assert_array_equal(keep_largest(values, SCHEMA), values)


def test_an_empty_segmentation_stays_empty() -> None:
    assert not keep_largest(np.zeros((3, 3, 3), np.uint8), SCHEMA).any()
