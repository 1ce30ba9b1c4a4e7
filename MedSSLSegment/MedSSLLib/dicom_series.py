"""DICOM series of this computer: found, sent to an engine elsewhere without the patient, and shown.

An engine elsewhere reads series as the one of this computer does, so that no second reading decides where
voxels lie. What it gets holds the pixels and what places them, and nothing about the patient, the hospital or
the day; identifiers are replaced by others that cannot be turned back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from slicer.i18n import tr as _

from MedSSLLib.folder_files import files_in
from MedSSLLib.problems import Problem
from MedSSLLib.voxel_files import LoadedVolume, loaded, suffix_of

if TYPE_CHECKING:
    from pydicom import Dataset

_LOOKED_AT = [
    "Columns", "ImageOrientationPatient", "ImagePositionPatient", "InstanceNumber", "Modality", "Rows",
    "SeriesInstanceUID", "SeriesNumber", "StudyInstanceUID",
]  # fmt: skip
_IDENTIFIERS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_SENT = (
    *_IDENTIFIERS, "SOPClassUID", "Modality", "ImageType", "SeriesNumber", "InstanceNumber",
    "ScanningSequence", "SequenceVariant",
    # where the pixels lie
    "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness",
    "SpacingBetweenSlices", "GantryDetectorTilt",
    # of an enhanced file
    "NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    # what they mean
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "RescaleIntercept", "RescaleSlope",
    "RealWorldValueMappingSequence", "RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped",
    "RealWorldValueIntercept", "RealWorldValueSlope",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "PixelData", "FloatPixelData", "DoubleFloatPixelData",
)  # fmt: skip
# What pydicom raises for what is damaged.
_BROKEN = (
    AttributeError, EOFError, KeyError, NotImplementedError, OSError, RecursionError, TypeError, ValueError,
)  # fmt: skip
_NO_SCANS = ("SEG", "SR", "PR", "RTSTRUCT", "RTDOSE")  # modalities of what was made from scans


@dataclass(frozen=True)
class DicomSeries:
    """The images of one series.

    Attributes:
        name: after the folder that it lies in.
        neutral_name: tells nothing of the patient; the engine of this computer gives it the same.
        folder: which holds all of its files, at whatever depth.
        files: sorted along the normal of the slices.
    """

    name: str
    neutral_name: str
    folder: Path
    files: tuple[Path, ...]


def find_series(top: Path, recursive: bool = True) -> list[DicomSeries]:
    """The series of a folder, sorted by name; for a thread beside the main one.

    Files without the mark of DICOM at their beginning are passed over, and so is what `files_in` passes over.

    Raises:
        Problem: the folder is a project.
    """
    groups: dict[str, list[tuple[Path, Dataset]]] = {}
    for path in files_in(top, recursive):
        header = None if suffix_of(path) else _header(path)
        if header is not None:
            groups.setdefault(str(header.SeriesInstanceUID), []).append((path, header))
    folders = {uid: _common_folder([path for path, _header in images]) for uid, images in groups.items()}
    alone = [folder for folder in folders.values() if list(folders.values()).count(folder) == 1]
    found = []
    for uid, images in groups.items():
        folder, first = folders[uid], images[0][1]
        number = f"series-{int(first.get('SeriesNumber') or 0):03d}-{_short(uid, 8)}"
        inside = folder.relative_to(top)
        name = (inside if inside.parts else Path(top.name)) if folder in alone else inside / number
        neutral = f"study-{_short(str(first.get('StudyInstanceUID', '')), 6)}/{number}"
        found.append(DicomSeries(name.as_posix(), neutral, folder, _sorted(images)))
    return sorted(found, key=lambda series: series.name)


def write_without_patient(source: Path, target: Path) -> None:
    """Write an image's pixels and where they lie; for a thread beside the main one.

    Raises:
        Problem: it cannot be read or written.
    """
    import pydicom

    try:
        image = pydicom.dcmread(source, specific_tags=list(_SENT))
        _keep(image, {pydicom.datadict.tag_for_keyword(name) for name in _SENT})
        for name in _IDENTIFIERS:
            if name in image:
                setattr(image, name, _other_identifier(str(image[name].value)))
        known = image.file_meta
        image.file_meta = pydicom.dataset.FileMetaDataset()
        image.file_meta.TransferSyntaxUID = known.TransferSyntaxUID
        image.file_meta.MediaStorageSOPClassUID = image.get("SOPClassUID", "")
        image.file_meta.MediaStorageSOPInstanceUID = image.get("SOPInstanceUID", "")
        image.preamble = bytes(128)
        image.save_as(target)
    except _BROKEN as error:
        raise Problem(
            _("{path} cannot be sent: {error}").format(path=source, error=error),
            _("Check that it is a whole file, and that the disk has room."),
        ) from error


def read_series(series: DicomSeries) -> LoadedVolume:
    """Read a series to be shown; for a thread beside the main one.

    Raises:
        Problem: it cannot be read.
    """
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in series.files])
    try:
        image = reader.Execute() if len(series.files) > 1 else sitk.ReadImage(str(series.files[0]))
    except RuntimeError as error:  # the only one that ITK raises
        raise Problem(
            _("The series in {folder} cannot be read.").format(folder=series.folder),
            _("Load it with the module DICOM."),
        ) from error
    return loaded(image, series.folder)


def _header(path: Path) -> Any:
    """What an image says of itself; None for what is no image of a scan."""
    import pydicom

    try:
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM":
                return None
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_LOOKED_AT)
    except _BROKEN:
        return None
    whole = header.get("SeriesInstanceUID") and header.get("Rows") and header.get("Columns")
    return header if whole and header.get("Modality") not in _NO_SCANS else None


def _sorted(images: Sequence[tuple[Path, Any]]) -> tuple[Path, ...]:
    """Put the images in their order along the normal, or by their numbers where they do not say it."""

    def place(image: tuple[Path, Any]) -> tuple[float, str]:
        path, header = image
        directions, position = header.get("ImageOrientationPatient"), header.get("ImagePositionPatient")
        if not directions or not position or len(directions) != 6 or len(position) != 3:
            return float(header.get("InstanceNumber") or 0), str(path)
        normal = np.cross(np.array(directions[:3], float), np.array(directions[3:], float))
        return float(normal @ np.array(position, float)), str(path)

    return tuple(path for path, _header in sorted(images, key=place))


def _keep(image: Dataset, tags: set[Any]) -> None:
    """Take out every element that is not one of a few, at every depth."""
    for tag in list(image.keys()):
        if tag not in tags:
            del image[tag]
        elif image[tag].VR == "SQ":
            for item in image[tag].value:
                _keep(item, tags)


def _common_folder(files: Sequence[Path]) -> Path:
    first = files[0].parent
    return next(each for each in (first, *first.parents) if all(each in file.parents for file in files))


def _other_identifier(known: str) -> str:
    return f"2.25.{int(hashlib.sha256(known.encode()).hexdigest()[:32], 16)}"


def _short(identifier: str, digits: int) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()[:digits]
