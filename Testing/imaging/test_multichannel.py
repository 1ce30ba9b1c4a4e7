"""One file may hold all channels of a scan, and each of them comes out with the exact geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import ImageError
from medssl.imaging.itk import image_of
from medssl.imaging.multichannel import look_inside, read_channels
from medssl.imaging.nifti_writing import write_nifti
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume


@pytest.fixture
def channels(oblique: Volume) -> list[Volume]:
    """Three volumes on one oblique grid, all different."""
    return [Volume(oblique.array + 100 * number, oblique.grid) for number in range(3)]


def joined(path: Path, channels: list[Volume]) -> Path:
    """Write them along a fourth axis."""
    sitk.WriteImage(sitk.JoinSeries([image_of(v.array, v.grid) for v in channels]), str(path), True)
    return path


def composed(path: Path, channels: list[Volume]) -> Path:
    """Write them as numbers for each voxel."""
    sitk.WriteImage(sitk.Compose([image_of(v.array, v.grid) for v in channels]), str(path), True)
    return path


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("write", [joined, composed])
def test_every_channel_is_the_volume_that_went_in(
    tmp_path: Path, channels: list[Volume], suffix: str, write: object
) -> None:
    assert callable(write)
    path = write(tmp_path / f"scan{suffix}", channels)
    found = read_channels([path], 3)
    assert len(found) == 3
    for one, other in zip(channels, found, strict=True):
        assert other.grid.agrees_with(one.grid)
        np.testing.assert_array_equal(one.array, other.array)
        assert other.array.flags.c_contiguous
    assert look_inside(path) == (found[0].grid, 3)


def test_the_grid_is_that_of_a_file_with_one_of_them(tmp_path: Path, channels: list[Volume]) -> None:
    nibabel = pytest.importorskip("nibabel")
    write_nifti(tmp_path / "one.nii.gz", channels[0])
    single = nibabel.load(tmp_path / "one.nii.gz")
    stack = np.stack([channel.array.transpose(2, 1, 0) for channel in channels], axis=-1)
    nibabel.save(nibabel.Nifti1Image(stack, single.affine), tmp_path / "all.nii.gz")
    exact = read_volume(tmp_path / "one.nii.gz").grid
    for one, other in zip(channels, read_channels([tmp_path / "all.nii.gz"], 3), strict=True):
        assert other.grid == exact
        np.testing.assert_array_equal(one.array, other.array)


def test_what_is_not_finite_is_told_of_in_its_channel_alone(tmp_path: Path, channels: list[Volume]) -> None:
    floats = [Volume(channel.array.astype(np.float32), channel.grid) for channel in channels]
    floats[1].array[0, 0, 0] = np.nan
    found = read_channels([joined(tmp_path / "scan.nii.gz", floats)], 3)
    assert [len(channel.notes) for channel in found] == [0, 1, 0]
    assert found[1].array[0, 0, 0] == np.nanmin(floats[1].array)


def test_files_of_one_channel_are_read_one_by_one(tmp_path: Path, channels: list[Volume]) -> None:
    paths = [tmp_path / f"{number}.nii.gz" for number in range(3)]
    for path, channel in zip(paths, channels, strict=True):
        write_nifti(path, channel)
        assert look_inside(path) is None
    for one, other in zip(channels, read_channels(paths, 3), strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_another_number_of_volumes_is_refused_with_both_numbers(
    tmp_path: Path, channels: list[Volume]
) -> None:
    path = joined(tmp_path / "scan.nii.gz", channels)
    with pytest.raises(ImageError, match=r"scan\.nii\.gz holds 3 volumes.*2 channels"):
        read_channels([path], 2)
    write_nifti(tmp_path / "lone.nii.gz", channels[0])
    with pytest.raises(ImageError, match="holds 1 volume"):
        read_channels([tmp_path / "lone.nii.gz"], 2)


def test_a_file_that_ends_early_is_refused(tmp_path: Path, channels: list[Volume]) -> None:
    path = joined(tmp_path / "scan.nii", channels)
    path.write_bytes(path.read_bytes()[:-200])  # inside the last channel
    with pytest.raises(ImageError, match="ends too early"):
        read_channels([path], 3)
