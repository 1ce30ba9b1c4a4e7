"""The volumes of a segmentation as a DICOM structured report, made with highdicom.

Source: DICOM PS3.16, TID 1500 (Measurement Report) with TID 1411 (Volumetric ROI Measurements), one group a
segment. Needs the extra `dicom`.
"""

from __future__ import annotations

from collections.abc import Mapping

import highdicom as hd
import pydicom
from highdicom.sr import (
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    EnhancedSR,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as DicomCode
from pydicom.uid import generate_uid

import medssl
from medssl.errors import ImageError
from medssl.imaging.dicom import Series
from medssl.imaging.dicom_seg_writing import (
    MANUFACTURER,
    Algorithm,
    as_long_string,
    dicom_code,
    own_series_number,
)
from medssl.imaging.dicom_sources import source_images
from medssl.labels import LabelSchema, Segment

_MILLILITRE = DicomCode("mL", "UCUM", "milliliter")
_IMAGING = DicomCode("363679005", "SCT", "Imaging")
_BESIDE_SEGMENTATION = 1  # added to the number of the segmentation's series


def make_measurements(
    segmentation: hd.seg.Segmentation,
    series: Series,
    schema: LabelSchema,
    volumes_ml: Mapping[str, float],
    algorithm: Algorithm,
) -> EnhancedSR:
    """Make a report of the volumes that refers to a segmentation and its series.

    Args:
        segmentation: from `make_segmentation`, of the same series and schema.
        series: the scan.
        schema: the segments.
        volumes_ml: the volume of each segment by name; a segment without one is left out.
        algorithm: what made it.

    Raises:
        ImageError: the series cannot be read any more, or cannot be referred to.
    """
    device = DeviceObserverIdentifyingAttributes(
        uid=generate_uid(prefix=None, entropy_srcs=[MANUFACTURER, algorithm.version]),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=as_long_string(algorithm.name),
        serial_number=as_long_string(algorithm.version),
    )
    groups = [
        _group(number, segment, segmentation, series, volumes_ml[segment.name], algorithm)
        for number, segment in enumerate(schema.segments, 1)
        if segment.name in volumes_ml
    ]
    images = source_images(series)
    try:
        content = MeasurementReport(
            observation_context=ObservationContext(
                observer_device_context=ObserverContext(codes.DCM.Device, device)
            ),
            procedure_reported=_IMAGING,
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
            referenced_images=images,
        )
        return EnhancedSR(
            evidence=[*images, segmentation],
            content=content[0],
            series_instance_uid=generate_uid(prefix=None),
            series_number=own_series_number(series) + _BESIDE_SEGMENTATION,
            sop_instance_uid=generate_uid(prefix=None),
            instance_number=1,
            manufacturer=MANUFACTURER,
            is_complete=True,
            series_description=as_long_string(f"Volumes: {algorithm.name}"),
            manufacturer_model_name=MANUFACTURER,
            software_versions=medssl.__version__,
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ImageError(
            f"{series.title} cannot be referred to by a DICOM report: its headers break DICOM's rules.",
            "Segment it without the report.",
        ) from error


def _group(
    number: int,
    segment: Segment,
    segmentation: pydicom.Dataset,
    series: Series,
    volume_ml: float,
    algorithm: Algorithm,
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    terms = segment.terminology
    described = segmentation.SegmentSequence[number - 1]
    site = None
    if terms is not None and terms.region is not None:
        modifier = dicom_code(terms.region_modifier) if terms.region_modifier else None
        site = [FindingSite(dicom_code(terms.region), laterality=modifier)]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=described.TrackingUID, identifier=described.TrackingID),
        referenced_segment=ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            number,
            source_series=SourceSeriesForSegmentation(series.header.uid),
        ),
        finding_category=dicom_code(terms.category) if terms else codes.SCT.Tissue,
        finding_type=dicom_code(terms.type) if terms else codes.SCT.Tissue,
        finding_sites=site,
        algorithm_id=AlgorithmIdentification(
            name=as_long_string(algorithm.name), version=as_long_string(algorithm.version)
        ),
        measurements=[Measurement(codes.SCT.Volume, round(volume_ml, 4), _MILLILITRE)],
    )
