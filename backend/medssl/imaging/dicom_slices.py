"""What the images of a DICOM series say, and whether a file is one.

Without the library that reads them, which `dicom_files` has: it would take a third of the time in which every
command starts, and most of them read no DICOM.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from medssl.imaging.formats import suffix_of


@dataclass(frozen=True)
class SeriesHeader:
    """What every image of a series says of the series, as DICOM names it; texts may be empty.

    `sequence` joins the kind, the variant and the name of the pulse sequence; `contrast` is whether an agent
    is named; `burnt_in` is whether writing is part of the pictures; `patient_id` is never shown unless the
    person asks for it.
    """

    uid: str
    study_uid: str
    patient_id: str
    number: int
    modality: str
    description: str
    protocol: str
    sequence: str
    image_type: tuple[str, ...]
    contrast: bool
    burnt_in: bool


@dataclass(frozen=True)
class Plane:
    """One picture of a file: where it lies and what its numbers mean.

    Attributes:
        spacing_mm: between rows and between columns; None when missing.
        position_mm: the centre of the first pixel, LPS; None when missing.
        orientation: the directions along a row and along a column, LPS; None when missing.
        slope, intercept: what turns stored numbers into units; 1 and 0 when missing.
    """

    spacing_mm: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    slope: float
    intercept: float


@dataclass(frozen=True)
class Slice:
    """What one image's file says.

    Attributes:
        path: the file.
        series: what it says of its series.
        image_uid: of this image.
        patient: ID and name, to tell whether images are of one person; never shown.
        image_number: the Instance Number.
        size: columns and rows.
        samples: numbers for each pixel; 3 in colour images.
        frames: how many pictures it says to hold.
        planes: one, or one for each frame of a file of several; a single one without a position where such a
            file does not place its frames.
        complete: whether the file is long enough for its pixels.
    """

    path: Path
    series: SeriesHeader
    image_uid: str
    patient: tuple[str, str]
    image_number: int
    size: tuple[int, int]
    samples: int
    frames: int
    planes: tuple[Plane, ...]
    complete: bool

    @property
    def identity(self) -> Hashable:
        """The same for copies of one image, and only for those: some programs give many images one UID."""
        return self.image_uid, self.series.study_uid, self.patient, self.planes


def is_dicom(path: Path) -> bool:
    """Whether a path is a file that begins as DICOM files do, and may be read."""
    if suffix_of(path) is not None:
        return False
    try:
        with path.open("rb") as file:
            return looks_like_dicom(file.read(132), path)
    except OSError:
        return False  # whoever reads it will say why


def looks_like_dicom(start: bytes, path: Path) -> bool:
    """Whether a file is DICOM, by its name and its first 132 bytes."""
    if start[128:132] == b"DICM":
        return True
    # Old files lack the preamble; their first element is then one of group 0002 or 0008, little endian.
    return (
        path.suffix.lower() in ("", ".dcm", ".ima")
        and start[:2] in (b"\x02\x00", b"\x08\x00")
        and len(start) == 132
    )
