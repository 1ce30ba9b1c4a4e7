from __future__ import annotations

import io

import numpy as np
import pytest
from medssl.imaging.volume import Grid, Volume
from medssl.labels import LabelSchema
from medssl.reports.model import Preview
from medssl.reports.previews import make_previews
from medssl.reports.scene import Scene
from numpy.typing import NDArray
from PIL import Image

SEGMENTS = LabelSchema.of_names({2: "Liver", 5: "Lesion"}).segments
SHAPE = (20, 40, 60)
LPS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0)
# Index axes x, y, z point to the head, to the left and to the back, as in a sagittal acquisition.
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)


def volume(array: NDArray[np.generic], direction: tuple[float, ...] = LPS) -> Volume:
    z, y, x = array.shape
    return Volume(array, Grid(size=(x, y, z), spacing_mm=(1.0, 1.0, 3.0), direction=direction))


def ramp() -> NDArray[np.int16]:
    """Brighter to the patient's left, to the back and to the head, by the array's axes."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return np.asarray(20 * z + 3 * y + 5 * x, dtype=np.int16)


def block() -> NDArray[np.uint8]:
    values = np.zeros(SHAPE, dtype=np.uint8)
    values[8:12, 10:30, 20:50] = 2
    values[9:11, 15:20, 25:35] = 5
    return values


def pixels(preview: Preview) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(preview.picture)), dtype=float)


def test_three_planes_and_the_worst_slice_are_shown_in_this_order() -> None:
    previews = make_previews(Scene.of(volume(ramp()), block()), SEGMENTS, 10)
    assert [p.plane for p in previews] == ["Axial", "Coronal", "Sagittal", "Axial"]
    assert [p.worst for p in previews] == [False, False, False, True]
    assert previews[3].slice_number == 11
    assert previews[3].slice_count == 20


def test_the_patients_right_is_on_the_left_and_the_head_on_top() -> None:
    axial, coronal, sagittal = map(pixels, make_previews(Scene.of(volume(ramp()), block()), SEGMENTS))
    assert axial[:, -1].mean() > axial[:, 0].mean()
    assert axial[-1].mean() > axial[0].mean()
    assert coronal[0].mean() > coronal[-1].mean()
    assert sagittal[0].mean() > sagittal[-1].mean()
    assert sagittal[:, -1].mean() > sagittal[:, 0].mean()


def test_a_scan_stored_the_other_way_round_looks_the_same() -> None:
    one = make_previews(Scene.of(volume(ramp()), block()), SEGMENTS, 4)
    turned = volume(np.ascontiguousarray(ramp()[::-1, ::-1, ::-1]), FLIPPED)
    other = make_previews(Scene.of(turned, np.ascontiguousarray(block()[::-1, ::-1, ::-1])), SEGMENTS, 15)
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(pixels(mine), pixels(theirs), atol=1)
        assert mine.slice_number == theirs.slice_number or not mine.worst


def test_the_worst_slice_is_shown_in_the_plane_the_scan_was_taken_in() -> None:
    previews = make_previews(Scene.of(volume(ramp(), SAGITTAL), block()), SEGMENTS, 3)
    assert previews[3].plane == "Coronal"
    assert previews[3].slice_number == 4


def test_proportions_come_from_millimetres() -> None:
    axial, coronal, _ = make_previews(Scene.of(volume(ramp()), np.zeros(SHAPE, np.uint8)), SEGMENTS)
    assert axial.aspect == pytest.approx(60 / 40)
    assert coronal.aspect == pytest.approx(60 / (20 * 3))


def test_each_segment_has_its_outline_and_the_reference_lies_below() -> None:
    reference = np.roll(block(), 2, axis=2)
    reference[:3] = 255
    axial = make_previews(Scene.of(volume(ramp()), block(), reference), SEGMENTS)[0]
    assert [(o.segment, o.reference) for o in axial.outlines] == [
        (0, True),
        (1, True),
        (0, False),
        (1, False),
    ]


def test_an_empty_segmentation_shows_the_middle_of_the_whole_scan() -> None:
    axial = make_previews(Scene.of(volume(ramp()), np.zeros(SHAPE, np.uint8)), SEGMENTS)[0]
    assert axial.slice_number == 11
    assert (axial.width, axial.height) == (60, 40)
    assert axial.outlines == ()


def test_the_view_goes_to_a_small_structure_and_not_to_the_whole_scan() -> None:
    scan = np.zeros((40, 160, 160), dtype=np.int16)
    values = np.zeros(scan.shape, dtype=np.uint8)
    values[20:23, 30:38, 100:108] = 2
    axial = make_previews(Scene.of(volume(scan), values), SEGMENTS)[0]
    assert axial.width < 60
    assert axial.slice_number == 22


def test_a_slice_between_two_structures_is_not_chosen() -> None:
    values = np.zeros(SHAPE, dtype=np.uint8)
    values[8:12, 10:20, 5:15] = 2
    values[8:12, 10:20, 45:55] = 2
    sagittal = make_previews(Scene.of(volume(ramp()), values), SEGMENTS)[2]
    assert sagittal.outlines


@pytest.mark.parametrize("value", [0, 700])
def test_a_constant_scan_and_one_without_finite_voxels_are_drawn(value: int) -> None:
    assert len(make_previews(Scene.of(volume(np.full(SHAPE, value, np.int16)), block()), SEGMENTS)) == 3
    assert len(make_previews(Scene.of(volume(np.full(SHAPE, np.nan)), block()), SEGMENTS)) == 3


def test_one_bright_outlier_does_not_darken_the_picture() -> None:
    clean, spoilt = ramp(), ramp().astype(np.float32)
    spoilt[10, 12, 22] = 358_214
    one, other = (make_previews(Scene.of(volume(scan), block()), SEGMENTS)[0] for scan in (clean, spoilt))
    assert np.abs(pixels(one) - pixels(other)).mean() < 3


def test_air_does_not_take_the_grey_levels_of_a_ct_of_soft_tissue() -> None:
    scan = np.full(SHAPE, -1000, dtype=np.int16)
    scan[4:16, 6:34, 12:58] = 40
    scan[block() > 0] = 90
    shown = pixels(make_previews(Scene.of(volume(scan), block()), SEGMENTS)[0])
    assert np.ptp(shown[shown > 20]) > 60 or (shown == 0).any()


def test_pictures_and_outlines_stay_small_however_noisy_a_scan_is() -> None:
    random = np.random.default_rng(0)
    scan = random.normal(size=(12, 200, 200)).astype(np.float32)
    values = np.where(random.random(scan.shape) < 0.5, 2, 5).astype(np.uint8)
    for preview in make_previews(Scene.of(volume(scan), values, values), SEGMENTS, 0):
        outlines = sum(len(outline.path) for outline in preview.outlines)
        assert len(preview.picture) * 4 / 3 + outlines < 25_000
