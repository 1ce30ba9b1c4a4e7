"""A scan is known again by what it shows, wherever its files lie and however they are packed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_making import write_series
from medssl.errors import ImageError
from medssl.imaging.itk import image_of
from medssl.imaging.reading import read_volume
from medssl.imaging.same_scan import is_same_scan
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.phantom import make_phantom


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    write_volume(path, make_phantom(0, size=(8, 12, 10)).image)
    return path


def test_the_same_files_are_the_same_scan_and_are_not_read(tmp_path: Path) -> None:
    file, named = tmp_path / "a.nii.gz", tmp_path / "folder" / ".." / "a.nii.gz"
    file.write_bytes(b"no image")
    (tmp_path / "folder").mkdir()
    assert is_same_scan([file], [file])
    assert is_same_scan([file], [named])


def test_a_copy_in_another_format_is_the_same_scan(scan: Path, tmp_path: Path) -> None:
    for name in ("a.nrrd", "b.mha", "c.nii"):
        write_volume(tmp_path / name, read_volume(scan))
        assert is_same_scan([scan], [tmp_path / name])


def test_a_converted_dicom_series_is_the_same_scan(tmp_path: Path) -> None:
    write_series(tmp_path / "series", np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3))
    write_volume(tmp_path / "converted.nrrd", read_volume(tmp_path / "series"))
    assert is_same_scan([tmp_path / "converted.nrrd"], [tmp_path / "series"])


def test_a_file_that_holds_all_channels_is_the_scan_of_its_channels(scan: Path, tmp_path: Path) -> None:
    one = read_volume(scan)
    other = Volume(one.array[::-1].copy(), one.grid)
    write_volume(tmp_path / "other.nrrd", other)
    sitk.WriteImage(
        sitk.JoinSeries([image_of(each.array, each.grid) for each in (one, other)]),
        str(tmp_path / "both.nii.gz"),
    )
    assert is_same_scan([scan, tmp_path / "other.nrrd"], [tmp_path / "both.nii.gz"])
    assert not is_same_scan([tmp_path / "other.nrrd", scan], [tmp_path / "both.nii.gz"])
    assert not is_same_scan([scan], [scan, tmp_path / "other.nrrd"])


def test_other_voxels_or_another_place_are_another_scan(scan: Path, tmp_path: Path) -> None:
    found = read_volume(scan)
    changed = found.array.copy()
    changed[3, 4, 5] += 1
    write_volume(tmp_path / "changed.nrrd", Volume(changed, found.grid))
    write_volume(tmp_path / "moved.nrrd", Volume(found.array, replace(found.grid, origin_mm=(5.0, 0.0, 0.0))))
    for name in ("changed.nrrd", "moved.nrrd"):
        assert not is_same_scan([scan], [tmp_path / name])


def test_a_scan_that_cannot_be_read_is_told(scan: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.nii\.gz"):
        is_same_scan([tmp_path / "gone.nii.gz"], [scan])
    (tmp_path / "half.nii.gz").write_bytes(scan.read_bytes()[:200])
    with pytest.raises(ImageError, match=r"half\.nii\.gz"):
        is_same_scan([scan], [tmp_path / "half.nii.gz"])
