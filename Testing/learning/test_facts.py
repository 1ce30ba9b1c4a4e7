"""What is measured of a case before planning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import ImageError
from medssl.labels import LabelSchema
from medssl.learning.facts import gather_facts
from medssl.learning.intensities import measured_sample
from numpy.typing import NDArray

SCHEMA = LabelSchema.of_names({1: "left", 5: "right"})


def write(path: Path, array: NDArray[np.generic], direction: tuple[float, ...] | None = None) -> Path:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 2.0, 3.0))
    if direction is not None:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path))
    return path


def test_shape_and_spacing_are_those_of_the_patients_axes(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    plain = gather_facts("plain", [write(tmp_path / "a.nii.gz", array)], SCHEMA)
    assert (plain.shape, plain.spacing_mm) == ((4, 5, 6), (3.0, 2.0, 1.0))
    sagittal = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # x of the file is front-back, y is up-down
    turned = gather_facts("turned", [write(tmp_path / "b.nii.gz", array, sagittal)], SCHEMA)
    assert (turned.shape, turned.spacing_mm) == ((5, 6, 4), (2.0, 1.0, 3.0))


def test_an_annotation_adds_the_size_and_brightness_of_its_structures(tmp_path: Path) -> None:
    array = np.zeros((9, 9, 9), dtype=np.int16)
    labels = np.full(array.shape, 255, dtype=np.uint8)
    labels[:, :, :6] = 0
    labels[2:7, 2:7, 1:6] = 5
    array[labels == 5] = 70
    found = gather_facts("case", [write(tmp_path / "a.nrrd", array)], SCHEMA, labels)
    assert found.radii_mm == pytest.approx((0.0, 3.0))  # three voxels of 1 mm to the border along x
    assert set(found.channels[0].in_structures) == {70.0}
    assert gather_facts("case", [tmp_path / "a.nrrd"], SCHEMA).radii_mm is None


def test_every_channel_has_its_facts(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mha", np.arange(60, dtype=np.int16).reshape(3, 4, 5) - 1000)
    fraction = write(tmp_path / "b.mha", np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5))
    first, second = gather_facts("case", [whole, fraction], SCHEMA).channels
    assert (first.whole_numbers, first.minimum) == (True, -1000)
    assert (second.whole_numbers, second.minimum) == (False, 0)


def test_a_scan_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.nii.gz").write_bytes(b"")
    with pytest.raises(ImageError, match="broken"):
        gather_facts("case", [tmp_path / "broken.nii.gz"], SCHEMA)


def test_padding_is_not_measured_but_a_bright_plateau_is() -> None:
    tissue = np.random.default_rng(0).normal(100, 10, (10, 10, 10))
    assert measured_sample(np.pad(tissue, 5)).min() > 0
    tissue[:5] = 300
    assert (measured_sample(tissue) == 300).mean() == pytest.approx(0.5)
    assert len(measured_sample(np.full((3, 3, 3), 7.0))) == 27
    assert len(measured_sample(np.full((3, 3, 3), np.nan))) == 0


def test_padding_is_found_alike_in_whole_numbers_and_in_fractions() -> None:
    tissue = np.random.default_rng(0).integers(-50, 900, (20, 20, 20)).astype(np.int16)
    padded = np.pad(tissue, 4, constant_values=-1024)
    np.testing.assert_array_equal(
        measured_sample(padded), measured_sample(padded.astype(np.float32)).astype(np.int16)
    )
    assert measured_sample(padded).min() > -1024
    wide = np.array([0, 0, 0, 2**31 - 1, -(2**31), 7, 8], np.int32)  # too wide a range to be counted
    assert sorted(measured_sample(wide)) == [-(2**31), 7, 8, 2**31 - 1]  # zeros are padding
