"""Scans and segmentations of several files as one, for the journey to an engine elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from medssl.errors import ImageError
from medssl.imaging.itk import image_of
from medssl.imaging.labels import read_labels, write_labels
from medssl.imaging.reading import read_volume
from medssl.imaging.single_file import as_one_file
from medssl.labels import LabelSchema, Segment
from medssl.phantom import make_phantom

SCHEMA = LabelSchema(segments=(Segment(value=3, name="Left lobe", colour=(51, 102, 153)),))


def test_a_file_is_itself(tmp_path: Path) -> None:
    with as_one_file(tmp_path / "scan.nii.gz") as whole:
        assert whole == tmp_path / "scan.nii.gz"


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_scan_of_two_files_is_one_with_the_same_voxels_and_grid(tmp_path: Path, suffix: str) -> None:
    scan = make_phantom(0).image
    apart = tmp_path / f"Scan 1{suffix}"
    SimpleITK.WriteImage(image_of(scan.array, scan.grid), str(apart))
    with as_one_file(apart) as whole:
        assert (whole.name, sorted(whole.parent.iterdir())) == ("Scan 1.nrrd", [whole])
        found, own = read_volume(whole), read_volume(apart)
    assert np.array_equal(found.array, own.array)
    assert found.array.dtype == own.array.dtype
    assert np.allclose(found.grid.matrix, own.grid.matrix, rtol=0, atol=1e-12)
    assert not whole.parent.exists()


def test_segments_keep_their_names_colours_and_values(tmp_path: Path) -> None:
    scan = make_phantom(0).image
    values = np.zeros(scan.grid.shape, np.uint8)
    values[2:5, 3:9, 4:8] = 3
    write_labels(tmp_path / "one.seg.nrrd", values, scan.grid, SCHEMA)
    apart = tmp_path / "apart.seg.nhdr"
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(tmp_path / "one.seg.nrrd")), str(apart))

    with as_one_file(apart) as whole:
        assert whole.name == "apart.seg.nrrd"
        found = read_labels(whole)
    assert found.segments == read_labels(tmp_path / "one.seg.nrrd").segments
    assert np.array_equal(found.volume.array, values)


def test_half_a_scan_is_told_by_its_name(tmp_path: Path) -> None:
    scan = make_phantom(0).image
    apart = tmp_path / "scan.mhd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(scan.array), str(apart))
    (tmp_path / "scan.raw").write_bytes((tmp_path / "scan.raw").read_bytes()[:100])

    with pytest.raises(ImageError, match=r"scan\.mhd"), as_one_file(apart):
        pass
