"""Phantoms look like scans, differ from each other, and come as a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from medssl.imaging.canonical import Canonical
from medssl.imaging.labels import read_labels
from medssl.imaging.reading import read_volume
from medssl.phantom import SCHEMA, make_phantom, write_phantoms
from scipy import ndimage

PHANTOMS = [make_phantom(seed) for seed in range(8)]


def test_the_same_seed_gives_the_same_scan_and_another_seed_another() -> None:
    again = make_phantom(3)
    assert np.array_equal(again.image.array, PHANTOMS[3].image.array)
    assert again.image.grid == PHANTOMS[3].image.grid
    assert PHANTOMS[4].image.grid != PHANTOMS[3].image.grid


def test_every_phantom_holds_both_structures_in_one_piece_inside_the_scan() -> None:
    for phantom in PHANTOMS:
        labels = phantom.labels.array
        assert phantom.image.grid == phantom.labels.grid
        assert (phantom.image.array.dtype, labels.dtype) == (np.int16, np.uint8)
        assert set(np.unique(labels)) == {0, *SCHEMA.values}
        millilitres = [np.count_nonzero(labels == v) * phantom.labels.grid.voxel_ml for v in SCHEMA.values]
        assert 30 < millilitres[0] < 150
        assert 2 < millilitres[1] < 20
        whole = ndimage.label(labels > 0)[0]
        assert np.bincount(whole.ravel())[1:].max() > 0.98 * np.count_nonzero(whole)
        for axis in range(3):
            assert not np.take(labels, [0, -1], axis=axis).any()


def test_phantoms_vary_in_geometry_and_brightness() -> None:
    assert len({Canonical.of(p.image.grid).order for p in PHANTOMS}) >= 3
    assert len({Canonical.of(p.image.grid).flips for p in PHANTOMS}) >= 3
    for phantom in PHANTOMS:
        assert max(phantom.image.grid.spacing_mm) > 1.15 * min(phantom.image.grid.spacing_mm)
        assert np.abs(phantom.image.grid.direction).max() < 0.99999  # oblique
    means = [p.image.array[p.labels.array == 1].mean() for p in PHANTOMS]
    assert max(means) > 1.5 * min(means)


def test_brightness_alone_does_not_find_the_kidney() -> None:
    for phantom in PHANTOMS:
        image, kidney = phantom.image.array, phantom.labels.array == 1
        low, high = np.percentile(image[kidney], [5, 95])
        guess = (image >= low) & (image <= high)
        dice = 2 * np.count_nonzero(guess & kidney) / (guess.sum() + kidney.sum())
        assert dice < 0.85


def test_a_small_size_shows_the_same_field_of_view() -> None:
    small = make_phantom(0, size=(20, 28, 24))
    assert small.image.array.shape == (20, 28, 24)
    assert set(np.unique(small.labels.array)) == {0, 1, 2}
    assert min(small.image.grid.spacing_mm) > 4


def test_phantoms_are_written_as_a_decathlon_data_set(tmp_path: Path) -> None:
    write_phantoms(tmp_path, count=2, new_count=1, seed=5)
    description = json.loads((tmp_path / "dataset.json").read_text())
    assert description["labels"] == {"0": "background", "1": "Kidney", "2": "Renal pelvis"}
    assert description["test"] == ["./imagesTs/phantom_003.nii.gz"]
    assert len(description["training"]) == 2
    for case in description["training"]:
        image, labels = read_volume(tmp_path / case["image"]), read_labels(tmp_path / case["label"])
        assert image.grid == labels.volume.grid
        assert set(np.unique(labels.volume.array)) == {0, 1, 2}
    assert (tmp_path / "labelsTs" / "phantom_003.nii.gz").is_file()
