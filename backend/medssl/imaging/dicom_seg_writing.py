"""Writing a segmentation as a DICOM object that belongs to its series: DICOM SEG, made with highdicom.

Source: DICOM PS3.3, A.51 (Segmentation IOD) and C.8.20 (its modules). Needs the extra `dicom`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as DicomCode
from pydicom.uid import generate_uid

import medssl
from medssl.errors import ImageError
from medssl.imaging.dicom import Series, series_grid
from medssl.imaging.dicom_sources import source_images
from medssl.imaging.dicom_tilt import tilt_back
from medssl.imaging.volume import Grid
from medssl.labels import Code, LabelSchema, Segment
from medssl.storage import atomic_path

MANUFACTURER = "MedSSL"
_LONG_STRING = 64  # letters of DICOM's LO
_HIGHEST_NUMBER = 2**31 - 1
_OWN_SERIES = 1000  # what is added to the number of the scan's series


@dataclass(frozen=True)
class Algorithm:
    """What made a segmentation: the model's name and its id, which is its version."""

    name: str
    version: str


def make_segmentation(
    values: NDArray[np.uint8],
    series: Series,
    schema: LabelSchema,
    algorithm: Algorithm,
    probabilities: NDArray[np.float32] | None = None,
) -> hd.seg.Segmentation:
    """Make a DICOM segmentation whose frames lie on the slices of the series, pixel on pixel.

    Segments carry the schema's names, codes and colours; a segment without a code counts as tissue.

    Args:
        values: label values (z, y, x) on the series' grid.
        series: the scan.
        schema: what the values mean; the segments keep their order and are numbered from 1.
        algorithm: what made it.
        probabilities: (segments, z, y, x), 0 to 1, on the same grid: then the segmentation is fractional and
            holds these instead of the values.

    Raises:
        ImageError: the series has no volume, or lacks what a segmentation needs to refer to it.
    """
    grid = series_grid(series)
    _check(values, series, grid)
    images = source_images(series)
    planes: NDArray[np.generic] = (
        schema.to_classes(values) if probabilities is None else np.moveaxis(probabilities, 0, -1)
    )
    pixels = _onto_frames(planes, series)
    try:
        return hd.seg.Segmentation(
            source_images=images,
            pixel_array=pixels,
            segmentation_type="BINARY" if probabilities is None else "FRACTIONAL",
            segment_descriptions=[
                _describe(number, segment, algorithm) for number, segment in enumerate(schema.segments, 1)
            ],
            series_instance_uid=generate_uid(prefix=None),
            series_number=own_series_number(series),
            sop_instance_uid=generate_uid(prefix=None),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            software_versions=medssl.__version__,
            device_serial_number=as_long_string(algorithm.version),
            content_label="SEGMENTATION",
            content_description=as_long_string(", ".join(schema.names)),
            series_description=as_long_string(f"Segmentation: {algorithm.name}"),
            pixel_measures=_pixel_measures(grid, images[0]),
            specific_character_set="ISO_IR 192",
        )
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        # The library's words may quote what the header says of the patient; they stay in the chain.
        raise ImageError(
            f"{series.title} cannot be referred to by a DICOM segmentation: its headers break DICOM's rules.",
            "Use another format, such as seg.nrrd.",
        ) from error


def write_dicom(path: Path, made: pydicom.Dataset) -> None:
    """Write a DICOM object atomically.

    Raises:
        StorageError: the disk is full, or the folder may not be written.
    """
    with atomic_path(path) as temporary:
        made.save_as(temporary, enforce_file_format=True)


def own_series_number(series: Series) -> int:
    """The number of the series that is made from one: 1000 above it."""
    return min(max(series.header.number, 0) + _OWN_SERIES, _HIGHEST_NUMBER)


def as_long_string(text: str) -> str:
    """Shorten a text to what DICOM's long strings take."""
    clean = "".join(letter if letter.isprintable() and letter != "\\" else " " for letter in text)
    return " ".join(clean.split())[:_LONG_STRING].strip() or MANUFACTURER


def dicom_code(code: Code) -> DicomCode:
    """A coded concept in pydicom's form."""
    return DicomCode(code.value, code.scheme, as_long_string(code.meaning))


def _check(values: NDArray[np.uint8], series: Series, grid: Grid) -> None:
    if values.shape != grid.shape:
        raise ImageError(f"The segmentation of shape {values.shape} does not lie on {series.title}.")
    if len(series.files) not in (1, len(series.placed)):
        raise ImageError(
            f"{series.title} is spread over several files of several frames, which a DICOM segmentation "
            "cannot follow.",
            "Use another format, such as seg.nrrd.",
        )


def _onto_frames(planes: NDArray[Any], series: Series) -> NDArray[Any]:
    """Bring what is on the grid of a series `(z, y, x, ...)` onto its frames, in the order of its files."""
    if series.tilt is not None:
        planes = tilt_back(planes, series.tilt)
    if len(series.files) == 1:  # the frames as the file has them, which need not be their order in space
        planes = planes[np.argsort([one.frame for one in series.placed])]
    return np.ascontiguousarray(planes)


def _pixel_measures(grid: Grid, image: pydicom.Dataset) -> hd.PixelMeasuresSequence:
    between_mm = grid.spacing_mm[2]
    return hd.PixelMeasuresSequence(
        pixel_spacing=grid.spacing_mm[1::-1],
        slice_thickness=float(image.get("SliceThickness") or between_mm),
        spacing_between_slices=between_mm,
    )


def _describe(number: int, segment: Segment, algorithm: Algorithm) -> hd.seg.SegmentDescription:
    terms = segment.terminology
    described = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=as_long_string(segment.name),
        segmented_property_category=dicom_code(terms.category) if terms else codes.SCT.Tissue,
        segmented_property_type=dicom_code(terms.type) if terms else codes.SCT.Tissue,
        algorithm_type="AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=as_long_string(algorithm.name),
            family=codes.DCM.ArtificialIntelligence,
            version=as_long_string(algorithm.version),
            source=MANUFACTURER,
        ),
        tracking_uid=generate_uid(prefix=None),
        tracking_id=as_long_string(segment.name),
        anatomic_regions=[dicom_code(terms.region)] if terms and terms.region else None,
        display_color=hd.color.CIELabColor.from_rgb(*segment.colour),
    )
    if terms is not None and terms.type_modifier is not None:
        item = described.SegmentedPropertyTypeCodeSequence[0]
        item.SegmentedPropertyTypeModifierCodeSequence = [_coded(terms.type_modifier)]
    if terms is not None and terms.region is not None and terms.region_modifier is not None:
        item = described.AnatomicRegionSequence[0]
        item.AnatomicRegionModifierSequence = [_coded(terms.region_modifier)]
    return described


def _coded(code: Code) -> hd.sr.CodedConcept:
    return hd.sr.CodedConcept.from_code(dicom_code(code))
