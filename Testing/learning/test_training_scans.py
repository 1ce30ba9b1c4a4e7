"""A model's card says what the scans were like that it learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_making import write_series
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.learning.plan import Normalisation
from medssl.learning.training_scans import look_at_scans, modalities_of, slice_plane

ROBUST = (Normalisation(kind="percentile", low=0.5, high=99.5),)
# Slices stacked from left to right, as sagittal scans are.
SAGITTAL = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def scan(path: Path, grid: Grid) -> tuple[Path]:
    write_volume(path, Volume(np.zeros(grid.shape, np.int16), grid))
    return (path,)


def test_spacings_and_sizes_are_measured_along_the_body_in_whatever_order_files_keep_them(
    tmp_path: Path,
) -> None:
    cases = [
        scan(tmp_path / "a.nii.gz", Grid((20, 30, 10), (1.0, 1.5, 4.0))),
        scan(tmp_path / "b.nii.gz", Grid((30, 10, 20), (1.5, 3.0, 1.0), direction=SAGITTAL)),
        (tmp_path / "gone.nii.gz",),
    ]
    found = look_at_scans(cases, ("MRI",), ROBUST)
    assert found is not None
    assert found.modalities == ("MR",)
    assert (found.finest_mm, found.coarsest_mm) == ((3.0, 1.5, 1.0), (4.0, 1.5, 1.0))
    assert (found.smallest_mm, found.largest_mm) == ((30.0, 45.0, 20.0), (40.0, 45.0, 20.0))
    assert found.planes == ("axial", "sagittal")
    assert found.describe() == (
        "MR, axial, sagittal; voxels of 3 x 1.5 x 1 to 4 x 1.5 x 1 mm, sizes of 30 x 45 x 20 to 40 x 45 x 20 "
        "mm (superior-inferior x anterior-posterior x left-right)"
    )


def test_what_dicom_says_of_the_modality_counts_more_than_the_channels_name(tmp_path: Path) -> None:
    write_series(tmp_path / "series", Modality="PT")
    found = look_at_scans([(tmp_path / "series",)], ("CT",), ROBUST)
    assert found is not None
    assert found.modalities == ("PT",)


@pytest.mark.parametrize(
    ("names", "found"),
    [(("T1", "T1Gd", "FLAIR"), ("MR",)), (("CT", "PET"), ("CT", "PT")), (("image",), ()), (("mr",), ("MR",))],
)
def test_channels_names_tell_the_modality(names: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert modalities_of(names) == found


def test_what_is_seen_through_fixed_windows_is_ct(tmp_path: Path) -> None:
    cases = [scan(tmp_path / "a.nii.gz", Grid((3, 4, 5), (1.0, 1.0, 1.0)))]
    window = Normalisation(kind="window", low=-100, high=300, mean=50, std=80)
    found = look_at_scans(cases, ("image",), (window,))
    assert found is not None
    assert found.modalities == ("CT",)
    assert look_at_scans([(tmp_path / "gone.nii.gz",)], ("image",), (window,)) is None


def test_the_plane_of_slices_has_its_usual_name() -> None:
    assert slice_plane(Grid((3, 4, 5), (1.0, 1.0, 1.0))) == "axial"
    assert slice_plane(Grid((3, 4, 5), (1.0, 1.0, 1.0), direction=SAGITTAL)) == "sagittal"
