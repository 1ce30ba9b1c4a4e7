"""The headers that a DICOM object made from a series takes over: patient, study, and what it refers to.

What people and scanners write into headers is often not what DICOM allows: dates that do not exist, sexes of
their own, endless names. What can be carried over is; what cannot is left empty, as DICOM wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydicom
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import DA, TM, validate_value

from medssl.errors import ImageError
from medssl.imaging.dicom import Series
from medssl.imaging.dicom_files import BROKEN, value_of
from medssl.imaging.headers import EXPORT_AGAIN

# Which must be there, be it empty, and which are carried over where they are.
_REQUIRED = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_WELCOME = (
    "IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "PatientIdentityRemoved",
    "DeidentificationMethod", "StudyDescription",
)  # fmt: skip
# What the references and the geometry need, exactly as it stands.
_NEEDED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "Rows",
    "Columns",
)
_GEOMETRY = (
    "FrameOfReferenceUID", "PositionReferenceIndicator", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "SliceThickness", "NumberOfFrames", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "DimensionIndexSequence", "DimensionOrganizationSequence",
)  # fmt: skip
_LONGEST = {"LO": 64, "SH": 16, "PN": 64}
_SEXES = ("M", "F", "O", "")


def source_images(series: Series) -> list[pydicom.Dataset]:
    """Read the headers of a series' files, in the order of its slices, cleaned, without pixels.

    Raises:
        ImageError: a file cannot be read any more, or lacks what a reference to it needs.
    """
    return [_source_image(file, series.title) for file in series.files]


def _source_image(file: Path, title: str) -> pydicom.Dataset:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
    except BROKEN as error:
        raise ImageError(f"{title} has a file that cannot be read any more.", EXPORT_AGAIN) from error
    clean = pydicom.Dataset()
    clean.SpecificCharacterSet = "ISO_IR 192"
    for name in _NEEDED:
        if not value_of(header, name):
            raise ImageError(
                f"{title} lacks what a DICOM segmentation needs to refer to it: {name}.",
                "Use another format, such as seg.nrrd.",
            )
    for name in (*_NEEDED, *_GEOMETRY):
        if value_of(header, name) is not None:
            clean[name] = header[name]
    if not clean.get("FrameOfReferenceUID"):
        raise ImageError(
            f"{title} names no frame of reference, without which a DICOM segmentation lies nowhere.",
            "Use another format, such as seg.nrrd.",
        )
    for name in (*_REQUIRED, *_WELCOME):
        value = _clean(header, name)
        if value or name in _REQUIRED:
            setattr(clean, name, value)
    return clean


def _clean(header: pydicom.Dataset, name: str) -> str:
    """The text of an element as DICOM allows it; empty when it is missing or means nothing."""
    kind = dictionary_VR(name)
    try:
        value = value_of(header, name)
        text = "" if value is None else str(value).strip()
    except BROKEN:
        return ""
    if kind in _LONGEST:
        longest = _LONGEST[kind]
        text = "".join(letter for letter in text if letter.isprintable() and letter != "\\")
        parts = text.split("=") if kind == "PN" else [text]
        text = "=".join(part[:longest].strip() for part in parts[:3])
    checks: dict[str, Callable[[str], Any]] = {"DA": DA, "TM": TM}
    with suppress(ValueError, TypeError, OverflowError):
        if text:
            checks.get(kind, str)(text)
            validate_value(kind, text, RAISE)
        return text if name != "PatientSex" or text in _SEXES else ""
    return ""
