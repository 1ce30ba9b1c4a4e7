from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.errors import GridError, LabelError
from medssl.evaluation.metrics import ClassScore, score_case
from medssl.imaging.volume import Grid
from medssl.labels import LabelSchema
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from numpy.typing import NDArray

Values = NDArray[np.uint8]
SCHEMA = LabelSchema.of_names({3: "Head", 7: "Body"})
SHAPE = (12, 20, 16)
SPACING = (3.0, 1.0, 0.5)  # z, y, x
GRID = Grid(size=SHAPE[::-1], spacing_mm=SPACING[::-1])


def empty() -> Values:
    return np.zeros(SHAPE, dtype=np.uint8)


def box(value: int, *, z: int = 4, y: int = 5, x: int = 6) -> Values:
    """A box of 3 x 6 x 8 voxels, whose first voxel is at (z, y, x)."""
    values = empty()
    values[z : z + 3, y : y + 6, x : x + 8] = value
    return values


def head(
    prediction: NDArray[np.uint8], reference: NDArray[np.uint8], *, distances: bool = True
) -> ClassScore:
    return score_case(prediction, reference, GRID, SCHEMA, distances=distances)[0]


def test_a_perfect_prediction_has_overlap_one_and_distance_zero() -> None:
    score = head(box(3), box(3))
    assert (score.dice, score.jaccard, score.hd95_mm, score.asd_mm) == (1.0, 1.0, 0.0, 0.0)
    assert score.volume_ml == score.reference_ml == pytest.approx(3 * 6 * 8 * 1.5 / 1000)


def test_a_shift_along_an_axis_is_measured_in_its_millimetres() -> None:
    assert head(box(3, x=7), box(3)).hd95_mm == pytest.approx(0.5)
    assert head(box(3, y=6), box(3)).hd95_mm == pytest.approx(1.0)
    assert head(box(3, z=5), box(3)).hd95_mm == pytest.approx(3.0)


def test_overlap_of_half_shifted_boxes_is_the_textbook_number() -> None:
    score = head(box(3, y=8), box(3))
    assert score.dice == pytest.approx(0.5)
    assert score.jaccard == pytest.approx(1 / 3)


def test_a_missed_segment_has_overlap_zero_and_no_distance() -> None:
    score = head(empty(), box(3))
    assert (score.dice, score.jaccard, score.hd95_mm, score.asd_mm) == (0.0, 0.0, None, None)
    assert score.missed
    assert not score.invented


def test_an_invented_segment_has_overlap_zero_and_no_distance() -> None:
    score = head(box(3), empty())
    assert (score.dice, score.hd95_mm) == (0.0, None)
    assert score.invented
    assert score.reference_ml == 0


def test_a_segment_on_neither_side_is_not_scored() -> None:
    score = head(box(7), box(7))
    assert (score.dice, score.jaccard, score.hd95_mm, score.asd_mm) == (None, None, None, None)
    assert not score.missed
    assert not score.invented


def test_segments_are_scored_one_by_one_in_the_schemas_order() -> None:
    reference = box(3) + box(7, z=8)
    scores = score_case(box(3), reference, GRID, SCHEMA)
    assert [(score.name, score.dice) for score in scores] == [("Head", 1.0), ("Body", 0.0)]


def test_voxels_that_nobody_annotated_do_not_count() -> None:
    reference = box(3)
    reference[9:] = 255
    prediction = box(3)
    prediction[9:] = 3  # right or wrong: nobody knows
    score = head(prediction, reference)
    assert score.dice == 1.0
    assert score.volume_ml == score.reference_ml


def test_distances_are_not_said_where_the_annotation_ends_inside_the_segment() -> None:
    reference = box(3)
    reference[6:] = 255
    score = head(box(3), reference)
    assert score.dice == 1.0
    assert (score.hd95_mm, score.asd_mm) == (None, None)


def test_distances_can_be_left_out() -> None:
    score = head(box(3, x=7), box(3), distances=False)
    assert (score.hd95_mm, score.asd_mm) == (None, None)
    assert score.dice == pytest.approx(7 / 8)


def test_other_shapes_and_unknown_values_are_refused() -> None:
    with pytest.raises(GridError, match=r"\(12, 20, 15\)"):
        head(empty()[..., :15], empty())
    with pytest.raises(LabelError, match="The reference holds the label value 9"):
        head(empty(), box(9))
    with pytest.raises(LabelError, match="The prediction"):
        head(box(9), empty())


def test_a_segment_at_the_edge_of_the_scan_is_measured_like_any_other() -> None:
    score = head(box(3, z=9, y=14, x=8), box(3, z=9, y=14, x=8))
    assert (score.dice, score.hd95_mm) == (1.0, 0.0)


def test_a_single_voxel_can_be_scored() -> None:
    prediction, reference = empty(), empty()
    prediction[2, 3, 4] = 3
    reference[2, 3, 8] = 3
    score = head(prediction, reference)
    assert score.dice == 0.0
    assert score.hd95_mm == score.asd_mm == pytest.approx(4 * 0.5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.4))
def test_distances_are_those_of_monais_own_functions(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    prediction, reference = (np.where(random.random(SHAPE) < share, 3, 0).astype(np.uint8) for _ in range(2))
    score = head(prediction, reference)
    ours, theirs = (torch.from_numpy(values == 3)[None, None] for values in (prediction, reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hd95 = compute_hausdorff_distance(ours, theirs, True, percentile=95, spacing=(3.0, 1.0, 0.5)).item()
        asd = compute_average_surface_distance(
            ours, theirs, True, symmetric=True, spacing=(3.0, 1.0, 0.5)
        ).item()
    assert score.hd95_mm is not None
    assert score.asd_mm is not None
    assert math.isclose(score.hd95_mm, hd95, rel_tol=1e-5)
    assert math.isclose(score.asd_mm, asd, rel_tol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_prediction_and_reference_can_change_places(seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = (np.where(random.random(SHAPE) < 0.05, 7, 0).astype(np.uint8) for _ in range(2))
    there, back = score_case(one, other, GRID, SCHEMA)[1], score_case(other, one, GRID, SCHEMA)[1]
    assert there.dice == back.dice
    assert there.hd95_mm == back.hd95_mm
    assert there.asd_mm == pytest.approx(back.asd_mm)
    assert there.volume_ml == back.reference_ml
