"""DICOM series are read with their exact geometry, or refused with the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_making import change, write_series
from medssl.errors import ImageError
from medssl.imaging.dicom import list_series, read_series
from medssl.imaging.reading import read_grid, read_volume
from pydicom.uid import generate_uid

ARRAY = np.random.default_rng(0).integers(-100, 1000, (5, 4, 3)).astype(np.int16)


def test_slices_are_sorted_by_position_and_placed_exactly(tmp_path: Path) -> None:
    folder = tmp_path / "sérié 1.2"
    files = write_series(folder, ARRAY, description="T1 — Größe", SpecificCharacterSet="ISO_IR 192")
    (series,) = list_series(folder)
    assert series.files == tuple(files)
    assert (series.header.description, series.header.modality, series.problem) == ("T1 — Größe", "MR", None)
    volume = read_series(series)
    assert np.array_equal(volume.array, ARRAY)
    grid = volume.grid
    a, b = np.cos(0.2), np.sin(0.2)
    assert grid.size == (3, 4, 5)
    # DICOM gives the distance of rows first: 0.75 is the spacing along y.
    assert np.allclose(grid.spacing_mm, (0.5, 0.75, 2.5), atol=1e-10)
    assert np.allclose(grid.origin_mm, (-10, 20, 30))
    assert np.allclose(np.array(grid.direction).reshape(3, 3), [[1, 0, 0], [0, a, -b], [0, b, a]], atol=1e-10)
    assert read_volume(folder).grid == read_grid(folder) == grid


def test_the_grid_is_the_one_that_itk_finds(tmp_path: Path) -> None:
    files = write_series(tmp_path, ARRAY)
    image = sitk.ReadImage([str(file) for file in files])
    (series,) = list_series(tmp_path)
    assert series.grid is not None
    for ours, itks in (
        (series.grid.spacing_mm, image.GetSpacing()),
        (series.grid.origin_mm, image.GetOrigin()),
        (series.grid.direction, image.GetDirection()),
    ):
        assert np.allclose(ours, itks, atol=1e-6)


@pytest.mark.parametrize("step_mm", [0.018, 0.0005])
def test_slices_of_micro_ct_lie_closer_than_other_scanners_round(step_mm: float, tmp_path: Path) -> None:
    rounded = [round(step_mm * i, 4) for i in range(5)]
    write_series(tmp_path, ARRAY, rounded, PixelSpacing=[step_mm, step_mm])
    assert np.allclose(read_grid(tmp_path).spacing_mm, step_mm)


def test_however_small_the_pixels_are_steps_are_even_when_scanners_rounded_them(tmp_path: Path) -> None:
    write_series(tmp_path, ARRAY, [0, 0.135, 0.24, 0.375, 0.48], PixelSpacing=[0.004, 0.01])
    assert read_grid(tmp_path).spacing_mm[2] == pytest.approx(0.12)


def test_rescaling_gives_the_units_of_the_modality(tmp_path: Path) -> None:
    write_series(tmp_path, ARRAY, Modality="CT", RescaleSlope="2", RescaleIntercept="-1024")
    assert np.array_equal(read_volume(tmp_path).array, ARRAY.astype(int) * 2 - 1024)


def test_several_series_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    write_series(tmp_path / "a", ARRAY, description="T1", SeriesNumber=2)
    write_series(tmp_path / "b", ARRAY + 1, description="T2", SeriesNumber=1)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for folder in ("a", "b"):
        for file in (tmp_path / folder).iterdir():
            file.rename(mixed / f"{folder}-{file.name}.dcm")
    found = list_series(mixed)
    assert [series.header.description for series in found] == ["T2", "T1"]
    assert np.array_equal(read_series(found[0]).array, ARRAY + 1)
    with pytest.raises(ImageError, match=r"2 DICOM series: T2 \(MR, 5 images\); T1 \(MR, 5 images\)"):
        read_volume(mixed)


def test_a_series_in_several_folders_is_one_and_a_copy_counts_once(tmp_path: Path) -> None:
    files = write_series(tmp_path / "DISK1", ARRAY)
    (tmp_path / "DISK2").mkdir()
    files[0].rename(tmp_path / "DISK2" / files[0].name)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "again").write_bytes(files[1].read_bytes())
    (series,) = list_series(tmp_path)
    assert series.folder == tmp_path
    assert np.array_equal(read_series(series).array, ARRAY)


def test_files_that_are_no_images_are_passed_over(tmp_path: Path) -> None:
    write_series(tmp_path, ARRAY)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "noise.dcm").write_bytes(np.random.default_rng(0).bytes(3000))
    (tmp_path / "half.dcm").write_bytes(bytes(128) + b"DICM" + bytes(5))
    (tmp_path / ".hidden").write_bytes((tmp_path / "IM0000").read_bytes()[:-5])
    (series,) = list_series(tmp_path)
    assert len(series.files) == 5


def refusal(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(ImageError) as caught:
        read_volume(folder)
    (series,) = list_series(folder)
    assert series.problem == str(caught.value)
    assert str(folder) in caught.value.what
    assert caught.value.remedy
    assert capfd.readouterr() == ("", "")
    return caught.value.what


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"heights_mm": [0, 2.5, 5, 10, 12.5]},
            "misses 1 slice: they are 2.5 mm apart, but 5 mm after slice 3",
        ),
        ({"heights_mm": [0, 2.5, 5, 7.5, 17.5]}, "misses 3 slices: they are 2.5 mm apart, but 10 mm after"),
        ({"heights_mm": [0, 2.5, 5, 8, 12]}, "uneven steps between its slices, from 2.5 to 4 mm"),
        (
            {"heights_mm": [0, 0.009, 0.018, 0.036, 0.045], "PixelSpacing": [0.009, 0.009]},
            "misses 1 slice: they are 0.009 mm apart, but 0.018 mm after slice 3",
        ),
        ({"heights_mm": [0, 2.5, 2.5, 5, 7.5]}, "5 slices at only 4 different places"),
        ({"heights_mm": [0.0] * 5}, "5 slices at only 1 place"),
        ({"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"NumberOfFrames": "2"}, "does not say where its slices lie"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "is an overview for planning"),
        ({"Modality": "SEG"}, "is a segmentation"),
        ({"ImagePositionPatient": None}, "does not say where its slices lie"),
        ({"PixelSpacing": None}, "does not say where its slices lie"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "singular direction"),
        ({"PixelSpacing": ["1e300", "1"]}, "pixels of 1e+300 mm, which no scan can have"),
        ({"PixelSpacing": ["nan", "1"]}, "does not say where its slices lie"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "is a projection"),
        ({"PixelSpacing": [0, 0]}, "pixels of different sizes: 0 to 0 mm"),
    ],
)
def test_what_is_no_volume_is_refused_with_the_numbers(
    settings: dict[str, Any],
    words: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_series(tmp_path, ARRAY, **settings)
    assert words in refusal(tmp_path, capfd)


def test_several_time_points_in_one_series_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    uid = generate_uid()
    write_series(tmp_path / "1", ARRAY, uid=uid)
    write_series(tmp_path / "2", ARRAY, uid=uid)
    with pytest.raises(ImageError, match="2 volumes at the same place, each of 5 slices"):
        read_volume(tmp_path)


def test_one_slice_that_differs_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = write_series(tmp_path / "direction", ARRAY)
    change(files[2], ImageOrientationPatient=[0, 1, 0, 0, 0, 1])
    assert "slices in different directions" in refusal(tmp_path / "direction", capfd)
    files = write_series(tmp_path / "size", ARRAY)
    change(files[2], Rows=2, Columns=6)
    assert "different sizes: 3 x 4, 6 x 2" in refusal(tmp_path / "size", capfd)


def test_a_single_slice_is_no_volume(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_series(tmp_path, ARRAY[:1])
    assert "single slice" in refusal(tmp_path, capfd)


def test_a_truncated_slice_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = write_series(tmp_path, ARRAY)
    files[3].write_bytes(files[3].read_bytes()[:-1])
    assert refusal(tmp_path, capfd).startswith(f"{files[3]} is incomplete")


def test_a_folder_without_images_and_one_without_a_volume_say_so(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no DICOM images"):
        read_volume(tmp_path)
    with pytest.raises(ImageError, match="no folder"):
        list_series(tmp_path / "gone")
    write_series(tmp_path / "a", ARRAY[:1])
    write_series(tmp_path / "b", ARRAY[:1])
    with pytest.raises(ImageError, match="holds 2 DICOM series, none of which is a volume"):
        read_volume(tmp_path)


def test_an_overview_beside_a_scan_does_not_hide_it(tmp_path: Path) -> None:
    write_series(tmp_path / "overview", ARRAY[:1])
    write_series(tmp_path / "scan", ARRAY)
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)


def test_real_series_are_read_as_itk_reads_them(data_folder: Path) -> None:
    folder = data_folder / "dicom"
    if not folder.is_dir():
        pytest.skip("there is no folder 'dicom' among the data sets")
    found = list_series(folder)
    assert len(found) == 5
    series = min(found, key=lambda s: len(s.files) * (s.grid.size[0] if s.grid else 0))
    volume = read_series(series)
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(series.folder)))
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(image))
    assert np.allclose(volume.grid.spacing_mm, image.GetSpacing(), atol=1e-4)
    assert np.allclose(volume.grid.origin_mm, image.GetOrigin())
