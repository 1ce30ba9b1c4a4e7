"""Which files are volumes: known by the end of their name, in any case of letters."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from medssl.errors import UsageError

LabelFormat: TypeAlias = Literal["seg.nrrd", "nii.gz", "dicom-seg"]
# What is made from a DICOM series is called neutrally, which tells nothing of the patient, after the folders
# that it lies in, or after the patient's ID.
SeriesNames: TypeAlias = Literal["neutral", "folders", "patient-id"]

SEGMENTATION_SUFFIX = ".seg.nrrd"
# Two-part suffixes first, so that the longest one that fits is found.
READABLE = (SEGMENTATION_SUFFIX, ".seg.nhdr", ".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
DICOM_SUFFIX = ".dcm"
DICOM_SEGMENTATION_SUFFIX = ".seg.dcm"
# A header and its voxels apart: read but not written, since two files cannot be replaced at once.
TWO_FILES = (".seg.nhdr", ".nhdr", ".mhd")
WRITABLE = (SEGMENTATION_SUFFIX, ".nii.gz", ".nii", ".nrrd", ".mha")


def label_suffix(label_format: LabelFormat) -> str:
    """Return the suffix of a segmentation's file in a format."""
    return DICOM_SEGMENTATION_SUFFIX if label_format == "dicom-seg" else f".{label_format}"


def suffix_of(path: Path) -> str | None:
    """Return the suffix of a volume's file in lower case, as `.nii.gz`, or None for other files."""
    name = path.name.lower()
    return next((suffix for suffix in READABLE if name.endswith(suffix) and len(name) > len(suffix)), None)


def stem_of(path: Path) -> str:
    """Return the file's name without its volume suffix; dots inside the name stay."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix else path.name


def writable_suffix(path: Path) -> str:
    """Return the suffix of a file that is to be written.

    Raises:
        UsageError: the format is not one that can be written.
    """
    suffix = suffix_of(path)
    if suffix not in WRITABLE:
        raise UsageError(
            f"{path} has no name of a format that can be written.", f"End the name in {', '.join(WRITABLE)}."
        )
    return suffix
