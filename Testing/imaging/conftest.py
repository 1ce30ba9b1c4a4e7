"""Small real files for the tests of imaging: volumes on any grid, and DICOM series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from medssl.imaging.volume import Grid, Volume
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

WriteSeries = Callable[..., list[Path]]


@pytest.fixture
def oblique() -> Volume:
    """A small volume whose spacing differs along each axis and whose axes are tilted and swapped."""
    a, b = np.cos(0.3), np.sin(0.3)
    grid = Grid(
        size=(6, 5, 4),
        spacing_mm=(0.7, 1.25, 3.3),
        origin_mm=(-12.5, 40.25, 7.75),
        direction=(0.0, a, -b, 0.0, b, a, -1.0, 0.0, 0.0),
    )
    array = np.random.default_rng(0).integers(-1000, 1000, grid.shape).astype(np.int16)
    return Volume(array, grid)


@pytest.fixture
def write_series() -> WriteSeries:
    """A function that writes a DICOM series of MR slices and returns its files in order along the normal."""

    def write(
        folder: Path,
        array: np.ndarray[Any, Any] | None = None,
        heights_mm: list[float] | None = None,
        description: str = "T1",
        uid: str | None = None,
        shift_mm: float = 0.0,
        **changes: Any,
    ) -> list[Path]:
        array = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3) if array is None else array
        heights = [2.5 * i for i in range(len(array))] if heights_mm is None else heights_mm
        folder.mkdir(parents=True, exist_ok=True)
        uid = uid or generate_uid()
        # The order of names and of instance numbers is not the order in space.
        names = np.random.default_rng(1).permutation(len(array))
        tilt = 0.2
        row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(tilt), np.sin(tilt)])
        normal = np.cross(row, column)
        files = []
        for index, height in enumerate(heights):
            file = folder / f"IM{names[index]:04d}"
            position = np.array([-10.0, 20.0, 30.0]) + height * normal + index * shift_mm * column
            slice_ = _slice(array[index], uid, description, [*row, *column], position.tolist())
            for name, value in changes.items():
                setattr(slice_, name, value)
            slice_.save_as(file, enforce_file_format=True)
            files.append(file)
        return files

    return write


def _slice(
    pixels: np.ndarray[Any, Any], uid: str, description: str, orientation: list[float], position: list[float]
) -> pydicom.Dataset:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = MRImageStorage
    data.SOPInstanceUID = generate_uid()
    data.SeriesInstanceUID = uid
    data.StudyInstanceUID = generate_uid()
    data.SeriesDescription = description
    data.Modality = "MR"
    data.Rows, data.Columns = pixels.shape
    data.PixelSpacing = [0.75, 0.5]
    data.ImageOrientationPatient = [f"{v:.12g}" for v in orientation]
    data.ImagePositionPatient = [f"{v:.12g}" for v in position]
    data.SliceThickness = 2.5
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.PixelRepresentation = 1
    data.PixelData = pixels.astype("<i2").tobytes()
    return data
