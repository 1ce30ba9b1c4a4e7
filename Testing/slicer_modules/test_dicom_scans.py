"""A DICOM series that a folder's job segmented, shown in the scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk


def write_series(folder: Path, offset_mm: float, uid: str) -> sitk.Image:
    """Write a small series as a scanner does, one file a slice; returns it as it should be read."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetOrigin((offset_mm, 0.0, 0.0))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(4):
        part = image[:, :, number]
        part.SetMetaData("0008|0060", "MR")
        part.SetMetaData("0020|000e", uid)
        part.SetMetaData("0020|000d", "1.2.3")
        part.SetMetaData("0008|0018", f"{uid}.{number + 1}")
        part.SetMetaData("0020|0013", str(number))
        position = image.TransformIndexToPhysicalPoint((0, 0, number))
        part.SetMetaData("0020|0032", "\\".join(map(str, position)))
        part.SetMetaData("0020|0037", "1\\0\\0\\0\\1\\0")
        writer.SetFileName(str(folder / f"{uid}-{number}.dcm"))
        writer.Execute(part)
    return image


def test_of_several_series_in_a_folder_the_one_that_fits_the_segmentation_is_read(tmp_path: Path) -> None:
    from MedSSLLib.dicom_series import read_series
    from MedSSLLib.grids import grid_of_image
    from MedSSLLib.voxel_files import voxels_of

    write_series(tmp_path, 40.0, "1.2.3.4")
    wanted = write_series(tmp_path, 0.0, "1.2.3.5")
    loaded = read_series(tmp_path, grid_of_image(wanted))
    assert np.array_equal(voxels_of(loaded.image), sitk.GetArrayFromImage(wanted))
    assert loaded.grid.origin_lps().tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_a_folder_without_that_series_says_what_to_do(tmp_path: Path) -> None:
    from MedSSLLib.dicom_series import read_series
    from MedSSLLib.grids import grid_of_image
    from MedSSLLib.problems import Problem

    image = write_series(tmp_path, 40.0, "1.2.3.4")
    image.SetOrigin((0.0, 0.0, 0.0))
    with pytest.raises(Problem, match=r"No series in .* lies where its segmentation does"):
        read_series(tmp_path, grid_of_image(image))
