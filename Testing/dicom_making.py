"""Small DICOM series for the tests: written by pydicom, right or wrong in the way that a test asks for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

PATIENT_NAME, PATIENT_ID = "Doe^Jane", "HOSP-4711"


def write_series(
    folder: Path,
    array: NDArray[Any] | None = None,
    heights_mm: list[float] | None = None,
    description: str = "T1",
    uid: str | None = None,
    shift_mm: float = 0.0,
    **changes: Any,
) -> list[Path]:
    """Write a series of MR slices and return its files in order along the normal.

    Args:
        folder: made when it is not there.
        array: (z, y, x), whole numbers.
        heights_mm: of the slices along their normal; 2.5 mm apart by default.
        description: of the series.
        uid: of the series; a new one by default. The study's follows from it.
        shift_mm: how far each slice lies further along the columns than the one before.
        changes: elements of every slice, by their names in DICOM; None takes one out.
    """
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
        slice_ = make_slice(array[index], uid, description, [*row, *column], position.tolist())
        slice_.InstanceNumber = int(names[index]) + 1
        for name, value in changes.items():
            if value is None and name in slice_:
                delattr(slice_, name)
            elif value is not None:
                setattr(slice_, name, value)
        slice_.save_as(file, enforce_file_format=True)
        files.append(file)
    return files


def change(file: Path, **changes: Any) -> None:
    """Change elements of a file, by their names in DICOM; None takes one out."""
    data = pydicom.dcmread(file)
    for name, value in changes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(file)


def complaints(path: Path) -> list[str]:
    """What dicom3tools' validator has against a file; what a DICOMDIR would need is no fault of the file."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy of dicom3tools is not installed")
    told = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True).stderr
    found = [line for line in told.splitlines() if line.startswith(("Error", "Warning"))]
    return [line for line in found if "needed to build DICOMDIR" not in line]


def make_slice(
    pixels: NDArray[Any], uid: str, description: str, orientation: list[float], position: list[float]
) -> pydicom.Dataset:
    """Make one MR slice of the series `uid`, of a made-up patient."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = MRImageStorage
    data.SOPInstanceUID = generate_uid()
    data.SeriesInstanceUID = uid
    data.StudyInstanceUID = generate_uid(entropy_srcs=[uid])
    data.FrameOfReferenceUID = generate_uid(entropy_srcs=[uid, "frame"])
    data.PatientName, data.PatientID = PATIENT_NAME, PATIENT_ID
    data.PatientBirthDate, data.PatientSex = "19400229", "F"
    data.StudyDate, data.StudyTime, data.StudyID = "20190102", "101112", "7"
    data.AccessionNumber, data.ReferringPhysicianName = "ACCESSION-A77", "Dr^Who"
    data.SeriesNumber = 12
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


def write_enhanced(
    file: Path,
    array: NDArray[Any],
    order: list[int] | None = None,
    slopes: list[float] | None = None,
    **changes: Any,
) -> Path:
    """Write an enhanced MR file that keeps all slices, 2.5 mm apart, as frames.

    Args:
        file: to write.
        array: (z, y, x), whole numbers.
        order: which slice is the first frame, the second, ...; in their order by default.
        slopes: of each slice; 1 by default.
        changes: elements of the whole file; None takes one out.
    """
    order = list(range(len(array))) if order is None else order
    data = make_slice(array[0], generate_uid(), "Enhanced", [1, 0, 0, 0, 1, 0], [0, 0, 0])
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(data, name)
    data.SOPClassUID, data.NumberOfFrames = EnhancedMRImageStorage, len(array)
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.PixelData = array[order].astype("<i2").tobytes()
    shared = pydicom.Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.75, 0.5], SliceThickness=2.5)]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[-10, 20, 2.5 * index])],
            PixelValueTransformationSequence=[
                _item(
                    RescaleSlope=1 if slopes is None else slopes[index], RescaleIntercept=0, RescaleType="US"
                )
            ],
            FrameContentSequence=[_item(DimensionIndexValues=[number + 1])],
        )
        for number, index in enumerate(order)
    ]
    for name, value in changes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    file.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(file, enforce_file_format=True)
    return file


def _item(**elements: Any) -> pydicom.Dataset:
    item = pydicom.Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item
