"""The header of one DICOM file: what is needed to put slices together, and to tell series apart."""

from __future__ import annotations

import logging
import math
import os
import struct
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
import pydicom.config
from pydicom.errors import BytesLengthException, InvalidDicomError

from medssl.access import cannot_be_read
from medssl.errors import ImageError
from medssl.imaging.dicom_slices import Plane, SeriesHeader, Slice, looks_like_dicom
from medssl.imaging.file_names import check_name

# Scanners break DICOM's rules for text in thousands of harmless ways; a warning for each helps nobody, and
# its text would be the patient's.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
for _library in ("pydicom", "highdicom"):
    warnings.filterwarnings("ignore", module=_library)
    logging.getLogger(_library).setLevel(logging.CRITICAL)

_TAGS = [
    "BitsAllocated", "BurnedInAnnotation", "Columns", "ContrastBolusAgent", "ImageOrientationPatient",
    "ImagePositionPatient", "ImageType", "InstanceNumber", "Modality", "NumberOfFrames", "PatientID",
    "PatientName", "PerFrameFunctionalGroupsSequence", "PixelSpacing", "ProtocolName", "RescaleIntercept",
    "RescaleSlope", "Rows", "SOPInstanceUID", "SamplesPerPixel", "ScanningSequence", "SequenceName",
    "SequenceVariant", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber",
    "SharedFunctionalGroupsSequence", "SpecificCharacterSet", "StudyInstanceUID",
]  # fmt: skip
_UNDEFINED = 0xFFFFFFFF  # a length that only the end of the items tells
_ITEM, _END_OF_ITEMS = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
# What damaged files raise from inside the library, wherever their values are first looked at.
BROKEN = (
    ArithmeticError, AttributeError, BytesLengthException, EOFError, InvalidDicomError, LookupError, OSError,
    RuntimeError, StopIteration, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


def read_slice(path: Path) -> Slice | None:
    """Read one file's header; None when it is not a DICOM image.

    Raises:
        ImageError: the file may not be read, or is DICOM and has a name that is no text.
    """
    try:
        with path.open("rb") as file:
            if not looks_like_dicom(file.read(132), path):
                return None
            check_name(path)
            file.seek(0)
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            pixels_from = file.tell()
            whole = not _is_packed(header) or _fragments_fit(file)
    except PermissionError as error:
        raise cannot_be_read(error, path, ImageError) from error
    except BROKEN:
        return None  # it only looked like DICOM
    uid = _text(header, "SeriesInstanceUID")
    rows, columns = _whole(value_of(header, "Rows")), _whole(value_of(header, "Columns"))
    if not uid or rows <= 0 or columns <= 0:
        return None  # a report, a presentation state, a directory of files
    bits = _whole(value_of(header, "BitsAllocated"), 16)
    samples = _whole(value_of(header, "SamplesPerPixel"), 1)
    frames = max(1, _whole(value_of(header, "NumberOfFrames"), 1))
    needed = rows * columns * samples * frames * bits // 8
    return Slice(
        path=path,
        series=_series_header(header, uid),
        image_uid=_text(header, "SOPInstanceUID") or str(path),
        patient=(_text(header, "PatientID"), _text(header, "PatientName").casefold().strip("^ ")),
        image_number=_whole(value_of(header, "InstanceNumber")),
        size=(columns, rows),
        samples=samples,
        frames=frames,
        planes=_planes(header, frames),
        complete=whole and path.stat().st_size - pixels_from >= _stored_bytes(header, needed),
    )


def _series_header(header: pydicom.Dataset, uid: str) -> SeriesHeader:
    sequence = (_text(header, name) for name in ("ScanningSequence", "SequenceVariant", "SequenceName"))
    return SeriesHeader(
        uid=uid,
        study_uid=_text(header, "StudyInstanceUID"),
        patient_id=_text(header, "PatientID"),
        number=_whole(value_of(header, "SeriesNumber")),
        modality=_text(header, "Modality"),
        description=_text(header, "SeriesDescription"),
        protocol=_text(header, "ProtocolName"),
        sequence=" ".join(filter(None, sequence)),
        image_type=tuple(part.strip() for part in _text(header, "ImageType").upper().split("\\")),
        contrast=bool(_text(header, "ContrastBolusAgent")),
        burnt_in=_text(header, "BurnedInAnnotation").upper() == "YES",
    )


def _planes(header: pydicom.Dataset, frames: int) -> tuple[Plane, ...]:
    """Read where each frame lies: from the file itself, or from the groups of an enhanced one."""
    own = _items(header, "PerFrameFunctionalGroupsSequence")
    shared = _items(header, "SharedFunctionalGroupsSequence")[:1]
    if len(own) != frames:
        # Nothing says where several frames lie: one plane for all of them, however many a header claims.
        return (_plane([header]) if frames == 1 else Plane(None, None, None, 1.0, 0.0),)
    return tuple(_plane([group, *shared, header]) for group in own)


def _plane(places: Sequence[pydicom.Dataset]) -> Plane:
    """Read one plane from the first of several places that says each thing."""
    slope, intercept = (
        _numbers([_first(places, "PixelValueTransformationSequence", name)], 1)
        for name in ("RescaleSlope", "RescaleIntercept")
    )
    return Plane(
        spacing_mm=_numbers(_first(places, "PixelMeasuresSequence", "PixelSpacing"), 2),
        position_mm=_numbers(_first(places, "PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_numbers(_first(places, "PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        slope=slope[0] if slope else 1.0,
        intercept=intercept[0] if intercept else 0.0,
    )


def _first(places: Iterable[pydicom.Dataset], group: str, name: str) -> Any:
    """The first value of an element, in a functional group of a place or in the place itself."""
    for place in places:
        for item in (*_items(place, group)[:1], place):
            value = value_of(item, name)
            if value is not None:
                return value
    return None


def _items(header: pydicom.Dataset, name: str) -> list[pydicom.Dataset]:
    value = value_of(header, name)
    return list(value) if isinstance(value, pydicom.Sequence) else []


def value_of(header: pydicom.Dataset, name: str) -> Any:
    """An element's value; None when it is missing or its bytes mean nothing."""
    try:
        return header.get(name)
    except BROKEN:
        return None


def _text(header: pydicom.Dataset, name: str) -> str:
    value = value_of(header, name)
    if value is None:
        return ""
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return "\\".join(map(str, value)) if several else str(value).strip()


def _is_packed(header: pydicom.Dataset) -> bool:
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
    return syntax is not None and syntax.is_transfer_syntax and bool(syntax.is_compressed)


def _fragments_fit(file: BinaryIO) -> bool:
    """Whether the file holds all parts of its compressed pixels, whose element begins at its position.

    Libraries wait forever for the rest of some. Source: DICOM PS3.5, A.4.
    """
    begin, size = file.tell(), file.seek(0, os.SEEK_END)
    file.seek(begin)
    element = file.read(12)  # tag, kind, two bytes of nothing, length
    if len(element) < 12:
        return False
    (length,) = struct.unpack("<L", element[8:])
    if length != _UNDEFINED:  # one part, and nothing says that it is one
        return begin + 12 + int(length) <= size
    while True:
        at = file.tell()
        tag, length = struct.unpack("<4sL", file.read(8).ljust(8, b"\0"))
        if tag != _ITEM:
            return tag == _END_OF_ITEMS or at == size  # some forget to say that it ends
        if at + 8 + length > size:
            return False
        file.seek(length, os.SEEK_CUR)


def _stored_bytes(header: pydicom.Dataset, needed: int) -> int:
    """How many bytes the pixels take in the file at least, with the header of their element."""
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None:
        return needed + 8
    # The length of what is deflated, or packed in a way that nobody knows, says nothing; reading it does.
    if not syntax.is_transfer_syntax or syntax.is_compressed or syntax.is_deflated:
        return 0
    return needed + (8 if syntax.is_implicit_VR else 12)


def _whole(value: Any, otherwise: int = 0) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return otherwise


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        return None
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None
