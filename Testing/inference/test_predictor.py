from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from medssl.errors import Cancelled, GridError, ModelError
from medssl.events import Monitor
from medssl.imaging.volume import Grid, Volume
from medssl.inference.predictor import Predictor
from medssl.learning.model import Model

DIRECTIONS = (
    (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    (-1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0),
    (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0),
)


def expected(scan: Volume) -> np.ndarray:
    return np.where(scan.array > 200, 3, np.where(scan.array > 100, 7, 0)).astype(np.uint8)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(*[st.integers(9, 26)] * 3),
    direction=st.sampled_from(DIRECTIONS),
    level_set=st.booleans(),
)
def test_a_segmentation_lies_voxel_by_voxel_on_its_scan(
    make_model: Callable[..., Model],
    make_scan: Callable[..., Volume],
    size: tuple[int, int, int],
    direction: tuple[float, ...],
    level_set: bool,
) -> None:
    scan = make_scan(size, direction=direction)
    model = make_model(heads=("segmentation", "level_set") if level_set else ("segmentation",))
    prediction = Predictor(model, "cpu").predict([scan])
    np.testing.assert_array_equal(prediction.values, expected(scan))
    assert prediction.uncertainty is not None
    assert prediction.uncertainty.shape == scan.array.shape
    assert prediction.uncertainty.dtype == np.float32
    assert 0 <= prediction.uncertainty.min() <= prediction.uncertainty.max() <= 1


def test_an_anisotropic_scan_comes_back_on_its_own_grid(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    scan = make_scan((40, 36, 8), spacing_mm=(0.5, 0.5, 4.0))
    prediction = Predictor(make_model(), "cpu").predict([scan])
    wrong = (prediction.values != expected(scan)).mean()
    assert prediction.values.shape == scan.array.shape
    assert wrong < 0.06


def test_the_windows_size_changes_nothing_where_the_network_sees_no_context(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    scan = make_scan((40, 34, 30))
    large = Predictor(make_model(patch_size=(32, 32, 32)), "cpu").predict([scan])
    small = Predictor(make_model(patch_size=(8, 8, 8)), "cpu").predict([scan])
    np.testing.assert_array_equal(large.values, small.values)
    assert large.score == pytest.approx(small.score, abs=1e-4)


def test_volumes_are_in_millilitres_by_segment(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    scan = make_scan(spacing_mm=(2.0, 1.0, 1.5))
    model = make_model(spacing_mm=(1.5, 1.0, 2.0))
    prediction = Predictor(model, "cpu").predict([scan])
    for name, value in (("Shell", 7), ("Core", 3)):
        assert prediction.volumes_ml[name] == pytest.approx((prediction.values == value).sum() * 3e-3)


def test_only_the_largest_piece_of_a_segment_that_is_one_piece_stays(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    scan = make_scan(stray=True)
    prediction = Predictor(make_model(), "cpu").predict([scan])
    assert (expected(scan)[-2:, -2:, -2:] == 3).all()
    assert not prediction.values[-2:, -2:, -2:].any()


def test_heads_that_contradict_each_other_make_the_voxels_uncertain(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    scan = make_scan()
    model = make_model(heads=("segmentation", "level_set"))
    agreeing = Predictor(model, "cpu").predict([scan])
    model.network.contrary = True  # type: ignore[assignment]  # a switch of the stand-in network
    contrary = Predictor(model, "cpu").predict([scan])
    assert agreeing.uncertainty is not None
    assert contrary.uncertainty is not None
    core = scan.array > 200
    assert contrary.uncertainty[core].mean() > agreeing.uncertainty[core].mean() + 0.5
    np.testing.assert_array_equal(agreeing.values, contrary.values)


def test_the_mean_over_mirrored_copies_uses_only_axes_that_the_anatomy_allows(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    seen: list[torch.Tensor] = []
    model = make_model(patch_size=(32, 32, 32))
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    Predictor(model, "cpu").predict([make_scan()])
    assert len(seen) == 2
    assert torch.equal(seen[1], seen[0].flip(4))


def test_the_worst_slice_is_where_the_uncertainty_is_on_the_scans_own_axes(
    make_model: Callable[..., Model],
) -> None:
    direction = DIRECTIONS[1]  # the file's z axis is the patient's y
    grid = Grid((20, 24, 31), (1.0, 1.0, 2.0), direction=direction)
    array = np.full(grid.shape, 20, np.int16)
    array[4:27, 6:18, 5:15] = 160
    array[20:23, 6:18, 5:15] = 103  # hardly over the threshold
    prediction = Predictor(make_model(spacing_mm=(1.0, 1.0, 1.0)), "cpu").predict([Volume(array, grid)])
    assert abs(prediction.worst_slice - 21) <= 1
    region = prediction.regions[0]
    z0, y0, x0, z1, y1, x1 = region.box
    assert abs(region.centre[0] - 21) <= 1
    assert 0 <= z0 < 23
    assert 20 < z1 <= 31
    assert 0 <= y0 < y1 <= 24
    assert 0 <= x0 < x1 <= 20


@pytest.mark.parametrize("value", [0, 20])
def test_a_constant_scan_has_an_empty_and_entirely_uncertain_segmentation(
    make_model: Callable[..., Model], value: int
) -> None:
    scan = Volume(np.full((6, 7, 8), value, np.int16), Grid((8, 7, 6), (1.0, 1.0, 1.0)))
    prediction = Predictor(make_model(), "cpu").predict([scan])
    assert not prediction.values.any()
    assert prediction.score == 1
    assert prediction.volumes_ml == {"Shell": 0.0, "Core": 0.0}


def test_a_scan_of_one_voxel_is_segmented(make_model: Callable[..., Model]) -> None:
    scan = Volume(np.full((1, 1, 1), 300, np.int16), Grid((1, 1, 1), (1.0, 1.0, 1.0)))
    prediction = Predictor(make_model(), "cpu").predict([scan])
    assert prediction.values.item() == 3
    assert prediction.worst_slice == 0


def test_large_results_in_half_precision_give_the_same_segmentation(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = make_scan((40, 34, 30))
    predictor = Predictor(make_model(heads=("segmentation", "level_set"), patch_size=(8, 8, 8)), "cpu")
    full = predictor.predict([scan])
    monkeypatch.setattr("medssl.learning.sliding._LARGE", 1)
    assert predictor.infer(predictor.prepare([scan])).probabilities.dtype == torch.float16
    half = predictor.predict([scan])
    np.testing.assert_array_equal(full.values, half.values)
    assert half.score == pytest.approx(full.score, abs=1e-3)


def test_wrong_channels_are_refused(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    scan = make_scan()
    with pytest.raises(ModelError, match="2 channels"):
        Predictor(make_model(), "cpu").predict([scan, scan])
    with pytest.raises(GridError, match="grid"):
        Predictor(make_model(channel_names=("T1", "T2")), "cpu").predict([scan, make_scan((9, 9, 9))])


def test_a_long_prediction_stops_between_windows(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        Predictor(make_model(patch_size=(8, 8, 8)), "cpu").predict([make_scan()], monitor.check)
