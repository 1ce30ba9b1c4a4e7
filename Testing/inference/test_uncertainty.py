from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.inference import uncertainty


def ball(shape: tuple[int, int, int], centre: tuple[float, ...], radius: float) -> np.ndarray:
    axes = np.indices(shape).astype(float)
    return sum((axes[i] - centre[i]) ** 2 for i in range(3)) <= radius**2


def soft(mask: np.ndarray, confidence: float) -> torch.Tensor:
    """Two-class probabilities that give `confidence` to what the mask says."""
    p = np.where(mask, confidence, 1 - confidence).astype(np.float32)
    return torch.from_numpy(np.stack((1 - p, p)))


def test_entropy_is_zero_where_one_class_is_certain_and_one_where_all_are_as_likely() -> None:
    certain = torch.zeros(3, 1, 1, 2)
    certain[1] = 1
    assert torch.equal(uncertainty.entropy(certain), torch.zeros(1, 1, 2))
    assert uncertainty.entropy(torch.full((3, 1, 1, 1), 1 / 3)).item() == pytest.approx(1)


def test_disagreement_is_zero_for_equal_and_one_for_opposite_answers() -> None:
    p = torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1)
    assert uncertainty.disagreement(p, p).item() == 0
    assert uncertainty.disagreement(p, p.flip(0)).item() == 1
    batch = torch.stack((p, p.flip(0)))
    assert uncertainty.disagreement(batch, batch).shape == (2, 1, 1, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 4), st.integers(0, 2**31 - 1))
def test_every_measure_stays_between_zero_and_one(classes: int, seed: int) -> None:
    logits = 4 * torch.randn(2, classes, 4, 5, 6, generator=torch.Generator().manual_seed(seed))
    p, q = logits.softmax(1)
    for found in (uncertainty.entropy(p), uncertainty.disagreement(p, q)):
        assert found.min() >= -1e-6
        assert found.max() <= 1 + 1e-6
    assert 0 <= uncertainty.case_score(p) <= 1


def test_a_surer_prediction_has_a_lower_score() -> None:
    mask = ball((20, 20, 20), (10, 10, 10), 6)
    scores = [uncertainty.case_score(soft(mask, c)) for c in (0.55, 0.8, 0.95, 1.0)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == pytest.approx(0)


def test_the_score_does_not_depend_on_the_resolution_of_the_same_shape() -> None:
    mask = ball((16, 16, 16), (7.5, 7.5, 7.5), 5)
    fine = mask.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    scores = [uncertainty.case_score(soft(m, 0.9)) for m in (mask, fine)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_a_structure_that_was_not_found_counts_as_entirely_uncertain() -> None:
    mask = ball((12, 12, 12), (6, 6, 6), 4)
    two = soft(mask, 1.0)
    three = torch.cat((two, torch.zeros(1, 12, 12, 12)))
    assert uncertainty.case_score(three) == pytest.approx(0.5)
    assert uncertainty.case_score(soft(np.zeros((4, 4, 4), bool), 1.0)) == 1


def test_half_precision_and_slabs_change_nothing_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = ball((20, 20, 20), (10, 10, 10), 6)
    p = soft(mask, 0.9)
    whole = uncertainty.case_score(p)
    monkeypatch.setattr(uncertainty, "_SLAB_VOXELS", 900)
    assert uncertainty.case_score(p.half()) == pytest.approx(whole, abs=1e-3)


def test_the_worst_slice_is_the_one_with_the_widest_uncertainty_and_not_the_largest() -> None:
    found = ball((21, 40, 40), (10, 20, 20), 10)
    uncertain = np.zeros(found.shape, np.float32)
    uncertain[found & ~ball(found.shape, (10, 20, 20), 9)] = 0.5  # the usual thin rim
    uncertain[4][ball((1, 40, 40), (0, 20, 20), 9)[0]] = 1.0  # one slice that is uncertain all over
    assert uncertainty.worst_slice(uncertain, found) == 4


def test_one_stray_voxel_is_not_the_worst_slice() -> None:
    found = ball((21, 40, 40), (10, 20, 20), 8)
    uncertain = np.zeros(found.shape, np.float32)
    uncertain[0, 0, 0] = 1
    uncertain[12, 10:30, 10:30] = 0.5
    assert uncertainty.worst_slice(uncertain, found) == 12


def test_an_empty_slice_with_a_wide_haze_is_not_the_worst_slice() -> None:
    found = ball((21, 40, 40), (10, 20, 20), 8)
    uncertain = np.full(found.shape, 0.05, np.float32)
    uncertain[0] = 0.1  # beyond the anatomy
    uncertain[found & ~ball(found.shape, (10, 20, 20), 7)] = 0.5
    uncertain[12, 12:28, 12:28] = 0.6
    assert uncertainty.worst_slice(uncertain, found) == 12


@pytest.mark.parametrize("size", [(30, 40, 50), (5, 200, 200), (1, 1, 1)])
def test_the_worst_region_encloses_the_blob_of_uncertainty(size: tuple[int, int, int]) -> None:
    uncertain = np.zeros(size, np.float32)
    centre = tuple(s // 2 for s in size)
    uncertain[centre] = 1
    (region,) = uncertainty.uncertain_regions(uncertain)
    for axis, position in enumerate(centre):
        assert 0 <= region.box[axis] <= position < region.box[3 + axis] <= size[axis]
    assert region.centre == centre
    assert region.share == 1


def test_the_worst_region_is_a_part_and_not_the_whole_of_the_uncertain_rim() -> None:
    shape = (40, 40, 40)
    rim = ball(shape, (20, 20, 20), 14) & ~ball(shape, (20, 20, 20), 13)
    uncertain = np.where(rim, np.float32(0.4), np.float32(0))
    uncertain[18:24, 30:36, 18:24] = 1
    region = uncertainty.uncertain_regions(uncertain)[0]
    z0, y0, x0, z1, y1, x1 = region.box
    assert uncertain[region.centre] == 1
    assert z0 <= 18
    assert z1 >= 24
    assert y1 - y0 < 15
    assert y0 <= 30
    assert x0 <= 18
    assert x1 >= 24


def test_every_uncertain_place_is_a_region_and_the_worst_comes_first() -> None:
    uncertain = np.zeros((30, 60, 60), np.float32)
    uncertain[3:8, 5:12, 5:12] = 0.8
    uncertain[20:26, 45:55, 45:55] = 0.9
    uncertain[5:10, 45:50, 6:10] = 0.6
    found = uncertainty.uncertain_regions(uncertain)
    assert [round(float(uncertain[region.centre]), 1) for region in found[:2]] == [0.9, 0.8]
    assert sum(region.share for region in found) <= 1 + 1e-6
    assert found[0].share > found[1].share >= 0.25 * found[0].share


def test_an_uncertain_place_comes_before_a_wide_haze() -> None:
    uncertain = np.zeros((40, 40, 40), np.float32)
    uncertain[:, :, :20] = 0.2
    uncertain[0, 0, 0] = 0.3
    uncertain[30:34, 30:34, 30:34] = 0.9
    region = uncertainty.uncertain_regions(uncertain)[0]
    assert uncertain[region.centre] == np.float32(0.9)
    assert region.share < 0.2


def test_certainty_has_no_region() -> None:
    assert uncertainty.uncertain_regions(np.zeros((4, 4, 4), np.float32)) == ()


def test_the_map_takes_the_larger_of_entropy_and_disagreement() -> None:
    p = torch.tensor([[1.0, 0.5, 1.0], [0.0, 0.5, 0.0]]).reshape(2, 1, 1, 3)
    heads = torch.tensor([0.0, 0.2, 0.7]).reshape(1, 1, 3)
    found = uncertainty.uncertainty_map(p, heads).flatten()
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 0.7]))
    torch.testing.assert_close(uncertainty.uncertainty_map(p, None).flatten(), torch.tensor([0.0, 1.0, 0.0]))
