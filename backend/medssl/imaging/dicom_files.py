"""The header of one DICOM file: what is needed to put slices together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pydicom.config
from pydicom.errors import InvalidDicomError

from medssl.errors import ImageError
from medssl.imaging.headers import EXPORT_AGAIN

# Scanners break DICOM's rules for text in thousands of harmless ways; a warning for each helps nobody.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_TAGS = [
    "BitsAllocated", "Columns", "ImageOrientationPatient", "ImagePositionPatient", "Modality",
    "NumberOfFrames", "PixelSpacing", "Rows", "SOPInstanceUID", "SamplesPerPixel", "SeriesDescription",
    "SeriesInstanceUID", "SeriesNumber", "SpecificCharacterSet",
]  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """What one image's file says.

    Attributes:
        path: the file.
        series_uid, image_uid, number, description, modality: as DICOM names them.
        size: columns and rows.
        frames: 1, or how many slices the one file holds.
        samples: numbers for each pixel; 3 in colour images.
        spacing_mm: between columns and between rows; None when missing.
        position_mm: the centre of the first pixel, LPS; None when missing.
        orientation: the directions along a row and along a column, LPS; None when missing.
        complete: whether the file is long enough for its pixels.
    """

    path: Path
    series_uid: str
    image_uid: str
    number: int
    description: str
    modality: str
    size: tuple[int, int]
    frames: int
    samples: int
    spacing_mm: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    complete: bool


def read_slice(path: Path) -> Slice | None:
    """Read one file's header; None when it is not a DICOM image.

    Raises:
        ImageError: the file is DICOM, but may not be read.
    """
    try:
        with path.open("rb") as file:
            if not _looks_like_dicom(file.read(132), path):
                return None
            file.seek(0)
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            pixels_from = file.tell()
    except PermissionError as error:
        raise ImageError(f"{path} may not be read.", "Ask for permission to read it.") from error
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError, NotImplementedError):
        return None  # it only looked like DICOM
    uid = str(header.get("SeriesInstanceUID", ""))
    rows, columns = _whole(header.get("Rows")), _whole(header.get("Columns"))
    if not uid or not rows or not columns:
        return None  # a report, a presentation state, a directory of files
    bits, samples = _whole(header.get("BitsAllocated"), 16), _whole(header.get("SamplesPerPixel"), 1)
    frames = _whole(header.get("NumberOfFrames"), 1)
    needed = rows * columns * samples * frames * bits // 8
    return Slice(
        path=path,
        series_uid=uid,
        image_uid=str(header.get("SOPInstanceUID", "")) or str(path),
        number=_whole(header.get("SeriesNumber")),
        description=str(header.get("SeriesDescription", "") or "").strip(),
        modality=str(header.get("Modality", "") or "").strip(),
        size=(columns, rows),
        frames=frames,
        samples=samples,
        spacing_mm=_numbers(header.get("PixelSpacing"), 2),
        position_mm=_numbers(header.get("ImagePositionPatient"), 3),
        orientation=_numbers(header.get("ImageOrientationPatient"), 6),
        complete=path.stat().st_size - pixels_from >= _stored_bytes(header, needed),
    )


def damaged(part: Slice) -> ImageError:
    """Say that a slice's file ends too early."""
    return ImageError(f"{part.path} is incomplete: it ends before its last pixel.", EXPORT_AGAIN)


def _looks_like_dicom(start: bytes, path: Path) -> bool:
    if start[128:132] == b"DICM":
        return True
    # Old files lack the preamble; their first element is then one of group 0002 or 0008, little endian.
    return (
        path.suffix.lower() in ("", ".dcm", ".ima")
        and start[:2] in (b"\x02\x00", b"\x08\x00")
        and len(start) == 132
    )


def _stored_bytes(header: pydicom.Dataset, needed: int) -> int:
    """How many bytes the pixels take in the file at least, with the header of their element."""
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None or syntax.is_implicit_VR:
        return needed + 8
    return 0 if syntax.is_compressed else needed + 12


def _whole(value: Any, otherwise: int = 0) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        return None
    try:
        return tuple(float(number) for number in value)
    except (TypeError, ValueError):
        return None
