"""From a scan to the network's grid and back onto the scan's own."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from medssl.errors import GridError, ModelError
from medssl.imaging.volume import Grid, Volume
from medssl.labels import LabelSchema
from medssl.learning.plan import NetworkShape, Normalisation, Plan
from medssl.learning.preprocessing import WayBack, prepare, prepare_labels
from medssl.learning.resampling import resample_slabs
from numpy.typing import NDArray

Spacing = tuple[float, float, float]
MR = Normalisation(kind="percentile", low=0.5, high=99.5)
SCHEMA = LabelSchema.of_names({2: "first", 7: "second"})
DIRECTIONS = [
    tuple(float(sign) * (column == order[row]) for row, sign in enumerate(signs) for column in range(3))
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def plan(spacing_mm: Spacing = (1.0, 1.0, 1.0), normalisation: Normalisation = MR, channels: int = 1) -> Plan:
    return Plan(
        label_schema=SCHEMA,
        channel_names=tuple(f"channel {i}" for i in range(channels)),
        spacing_mm=spacing_mm,
        normalisation=(normalisation,) * channels,
        patch_size=(8, 8, 8),
        batch_size=1,
        network=NetworkShape(
            channels=channels,
            classes=3,
            features=(4, 8),
            strides=((1, 1, 1), (2, 2, 2)),
            kernels=((3, 3, 3), (3, 3, 3)),
            convolutions=(1, 1),
        ),
        level_set_mm=(5.0, 5.0),
    )


def scan(array: NDArray[Any], spacing: Spacing = (1.0, 1.0, 1.0), **grid: Any) -> Volume:
    """A volume; spacing as the array, (z, y, x)."""
    size = (array.shape[2], array.shape[1], array.shape[0])
    return Volume(array, Grid(size=size, spacing_mm=spacing[::-1], **grid))


def tissue(seed: int = 0, shape: tuple[int, ...] = (20, 24, 22)) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(300, 40, shape).astype(np.float32)


def image_of(array: NDArray[Any], normalisation: Normalisation = MR) -> NDArray[np.float32]:
    found: NDArray[np.float32] = prepare([scan(array)], plan(normalisation=normalisation)).image[0].numpy()
    return found


def resample(x: torch.Tensor, target: tuple[int, int, int], slab_voxels: int = 1 << 24) -> torch.Tensor:
    source = (x.shape[1], x.shape[2], x.shape[3])
    slabs = resample_slabs(lambda a, b: x[:, a:b], len(x), source, target, slab_voxels)
    return torch.cat([slab for _, slab in slabs], dim=1)


sides = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))


@given(sides, st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)), st.integers(1, 400))
@examples(max_examples=40)
def test_where_the_grid_gets_finer_it_is_linear_interpolation_in_half_cells(
    source: tuple[int, int, int], more: tuple[int, int, int], slab_voxels: int
) -> None:
    x = torch.randn(2, *source, generator=torch.Generator().manual_seed(1))
    target = (source[0] + more[0], source[1] + more[1], source[2] + more[2])
    expected = F.interpolate(x[None], size=target, mode="trilinear", align_corners=False)[0]
    torch.testing.assert_close(resample(x, target, slab_voxels), expected, atol=1e-5, rtol=1e-5)


@given(sides, sides, st.integers(1, 400))
@examples(max_examples=40)
def test_slabs_change_nothing(
    source: tuple[int, int, int], target: tuple[int, int, int], slab_voxels: int
) -> None:
    x = torch.randn(2, *source, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(resample(x, target, slab_voxels), resample(x, target), atol=1e-5, rtol=1e-5)


def test_where_the_grid_gets_coarser_fine_stripes_become_grey_and_not_wide_stripes() -> None:
    for axis in range(1, 4):
        index = torch.arange(60).view([-1 if a == axis else 1 for a in range(4)])
        stripes = (index % 2).float().expand(1, *(60 if a == axis else 8 for a in range(1, 4)))
        coarse = [8, 8, 8]
        coarse[axis - 1] = 20
        grey = resample(stripes.contiguous(), (coarse[0], coarse[1], coarse[2]))
        assert (grey - 0.5).abs().max() < 0.12


def test_the_size_follows_the_spacing_and_no_axis_vanishes() -> None:
    prepared = prepare([scan(tissue(shape=(1, 30, 41)), (0.1, 2.0, 0.5))], plan())
    assert prepared.image.shape == (1, 1, 60, 20)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_axis_order_gives_the_same_canonical_image_and_the_way_back_inverts_it(
    direction: tuple[float, ...],
) -> None:
    """A ramp along the patient's three axes must come out the same however the file stores it."""
    size, spacing = (6, 7, 8), (1.0, 1.5, 2.0)
    grid = Grid(size=size, spacing_mm=spacing, direction=direction)
    z, y, x = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    lps = np.einsum("ij,j...->i...", grid.matrix, np.stack([x, y, z, np.ones_like(x)]))
    labels = ((lps[2] - lps[2].mean() + 3 * (lps[0] > lps[0].mean())) > 0).astype(np.uint8) * 7
    values = lps[0] + 10 * lps[1] + 100 * lps[2]
    window = Normalisation(kind="window", low=-5000, high=5000)
    prepared = prepare([Volume(values, grid)], plan((1.0, 1.0, 1.0), window))
    image = prepared.image[0]
    for axis, slope in zip(range(3), (100, 10, 1), strict=True):
        middle = image.movedim(axis, 0)[2:-2]
        torch.testing.assert_close(
            middle.diff(dim=0), torch.full_like(middle.diff(dim=0), slope), rtol=0.05, atol=0.05
        )
    own = plan(prepared.way.canonical.spacing_mm)
    way = WayBack.of(grid, own)
    classes = prepare_labels(labels, grid, own)
    maps = F.one_hot(classes.long(), 3).movedim(-1, 0)
    assert (SCHEMA.to_values(way.restore_classes(maps)) == labels).all()
    assert (way.restore(maps)[2].numpy() == (labels == 7)).all()


@given(
    st.tuples(*(st.floats(0.3, 6.0) for _ in range(3))),
    st.tuples(*(st.floats(0.5, 3.0) for _ in range(3))),
    sides,
    st.sampled_from(DIRECTIONS),
)
@examples(max_examples=40)
def test_a_prediction_always_comes_back_on_the_scans_own_grid(
    own: Spacing, wanted: Spacing, shape: tuple[int, int, int], direction: tuple[float, ...]
) -> None:
    volume = scan(tissue(shape=shape), own, direction=direction, origin_mm=(10.0, -300.0, 7.5))
    prepared = prepare([volume], plan(wanted))
    assert prepared.image.shape[1:] == prepared.way.size
    assert torch.isfinite(prepared.image).all()
    probabilities = torch.rand(3, *prepared.way.size).softmax(0)
    restored = prepared.way.restore(probabilities)
    assert restored.shape == (3, *shape)
    torch.testing.assert_close(restored.sum(0), torch.ones(shape))
    classes = prepared.way.restore_classes(probabilities)
    found = np.take_along_axis(restored.numpy(), classes[None].astype(np.int64), axis=0)[0]
    np.testing.assert_allclose(found, restored.numpy().max(0), atol=1e-6)


def test_a_structure_survives_the_way_there_and_back() -> None:
    z, y, x = np.mgrid[:30, :60, :60]
    labels = np.where((2 * z - 30) ** 2 + (y - 30) ** 2 + (x - 28) ** 2 < 400, 2, 0).astype(np.uint8)
    volume = scan(labels, (2.0, 1.0, 1.0))
    coarse = plan((1.6, 1.6, 1.6))
    maps = F.one_hot(prepare_labels(labels, volume.grid, coarse).long(), 3).movedim(-1, 0).half()
    back = SCHEMA.to_values(WayBack.of(volume.grid, coarse).restore_classes(maps))
    overlap = 2 * ((back == 2) & (labels == 2)).sum() / ((back == 2).sum() + (labels == 2).sum())
    assert overlap > 0.97


def test_one_bright_outlier_changes_nothing_else() -> None:
    clean = tissue(shape=(35, 50, 36))
    spoilt = clean.copy()
    spoilt[10, 10, 10] = 358214
    rest = np.ones(clean.shape, dtype=bool)
    rest[10, 10, 10] = False
    np.testing.assert_allclose(image_of(spoilt)[rest], image_of(clean)[rest], atol=2e-3)
    assert image_of(spoilt).max() < 4


def test_an_outlier_does_not_bleed_into_its_neighbours_when_resampled() -> None:
    clean, coarse = tissue(shape=(20, 20, 20)), plan((2.0, 2.0, 2.0))
    spoilt = clean.copy()
    spoilt[10, 10, 10] = 1e9
    difference = prepare([scan(spoilt)], coarse).image - prepare([scan(clean)], coarse).image
    assert difference.abs().max() < 1


def test_intensities_are_centred_with_spread_one_whatever_the_scanners_units() -> None:
    image = image_of(tissue())
    assert image.mean() == pytest.approx(0, abs=1e-3)
    assert image.std() == pytest.approx(1, abs=1e-2)
    np.testing.assert_allclose(image_of(tissue() * 1000 + 5000), image, atol=1e-3)


def test_padding_around_a_scan_does_not_change_its_intensities() -> None:
    padded = np.pad(tissue(), 10)
    np.testing.assert_allclose(image_of(padded)[10:-10, 10:-10, 10:-10], image_of(tissue()), atol=1e-3)


@pytest.mark.parametrize("value", [-32768.0, -float(np.finfo(np.float32).max), 65535.0])
@pytest.mark.parametrize("share", [0.004, 0.02, 0.08])
def test_a_value_that_fills_in_for_what_was_not_measured_does_not_change_the_rest(
    value: float, share: float
) -> None:
    filled = np.random.default_rng(1).random(tissue().shape) < share
    image = image_of(np.where(filled, value, tissue()))
    np.testing.assert_allclose(image[~filled], image_of(tissue())[~filled], atol=0.05)
    assert np.isfinite(image).all()


def test_the_darkest_tissue_is_no_filling() -> None:
    array = tissue()
    array[:3] = 0  # as air is: common, and as far from the brightest as from the mean
    assert image_of(array)[0].mean() < -2


@pytest.mark.parametrize("value", [0, 7, -1000, 3e38])
def test_a_constant_scan_becomes_zeros(value: float) -> None:
    assert (image_of(np.full((5, 6, 7), value, dtype=np.float64)) == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_that_is_not_a_number_reaches_the_network(bad: float) -> None:
    array = tissue()
    array[3:5] = bad
    assert np.isfinite(image_of(array)).all()
    assert np.isfinite(image_of(np.full((4, 4, 4), bad))).all()
    window = Normalisation(kind="window", low=-100, high=200, mean=50, std=70)
    assert np.isfinite(image_of(array, window)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.float64])
def test_every_numeric_type_is_read_alike(dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 120, (8, 9, 10))
    np.testing.assert_array_equal(image_of(values.astype(dtype)), image_of(values.astype(np.int16)))


def test_a_window_means_the_same_in_every_scan() -> None:
    window = Normalisation(kind="window", low=-100, high=300, mean=100, std=50)
    array = np.array([-2000, -100, 100, 300, 3000], dtype=np.int16).reshape(1, 1, 5)
    np.testing.assert_allclose(image_of(array, window)[0, 0], [-4, -4, 0, 4, 4])


def test_labels_keep_255_and_a_coarser_grid_does_not_lose_a_single_annotated_slice() -> None:
    labels = np.full((40, 20, 20), 255, dtype=np.uint8)
    drawn = [3, 16, 27]
    labels[drawn] = 0
    labels[drawn, 5:15, 5:15] = 2
    for wanted in ((2.7, 1.0, 1.0), (4.0, 2.0, 2.0), (1.0, 1.0, 1.0), (0.5, 1.0, 1.0)):
        found = prepare_labels(labels, scan(labels).grid, plan(wanted)).numpy()
        annotated = (found != 255).any(axis=(1, 2))
        assert annotated.sum() == round(3 * max(1, 1 / wanted[0]))
        middle = found[annotated][:, found.shape[1] // 2, found.shape[2] // 2]
        assert (middle == 1).all()
        assert (found[annotated][:, 0, 0] == 0).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_single_slice_may_face_either_way(sign: float) -> None:
    values = np.zeros((1, 8, 8), np.uint8)
    values[0, 2:5, 2:5] = 2
    grid = Grid((8, 8, 1), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, sign))
    assert int((prepare_labels(values, grid, plan((4.0, 1.0, 1.0))) == 1).sum()) == 9


def test_a_thin_structure_between_two_others_is_not_given_a_class_between_theirs() -> None:
    labels = np.zeros((6, 6, 12), dtype=np.uint8)
    labels[..., 6:] = 7
    found = prepare_labels(labels, scan(labels).grid, plan((0.7, 0.7, 0.7)))
    assert set(found.unique().tolist()) == {0, 2}


def test_channels_must_be_as_many_as_the_plans_and_on_one_grid() -> None:
    with pytest.raises(ModelError, match="1 channel, but the model needs 2"):
        prepare([scan(tissue())], plan(channels=2))
    with pytest.raises(GridError, match="channel 1"):
        prepare([scan(tissue()), scan(tissue(shape=(4, 5, 6)))], plan(channels=2))
    both = prepare([scan(tissue(0)), scan(tissue(1))], plan(channels=2)).image
    torch.testing.assert_close(both[1], prepare([scan(tissue(1))], plan()).image[0])


def test_no_second_copy_of_a_large_scan_is_made() -> None:
    array = np.zeros((300, 256, 256), dtype=np.int16)
    array[:, 50:200, 50:200] = 100
    tracemalloc.start()
    prepared = prepare([scan(array)], plan((4.0, 4.0, 4.0)))
    prepared.way.restore_classes(torch.rand(3, *prepared.way.size))
    # numpy's own allocations: the sample of intensities, one slab and the result of a byte a voxel.
    assert tracemalloc.get_traced_memory()[1] < 2.5 * array.size + (1 << 27)
    tracemalloc.stop()
