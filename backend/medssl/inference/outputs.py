"""How a segmentation is written: as a file of labels, or as DICOM objects that belong to its series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medssl.errors import UsageError
from medssl.imaging.dicom_packages import check_highdicom
from medssl.imaging.formats import DICOM_SEGMENTATION_SUFFIX, label_suffix
from medssl.imaging.labels import write_labels
from medssl.inference.predictor import Opinion, Prediction
from medssl.inference.settings import FolderSettings
from medssl.inference.source import Source
from medssl.labels import LabelSchema
from medssl.learning.card import ModelCard

_REPORT_SUFFIX = ".sr.dcm"


@dataclass(frozen=True)
class Output:
    """What segmentations are written as.

    Attributes:
        settings: the format, and for DICOM whether probabilities and volumes are kept.
        schema: what the label values mean.
        card: of the model, which a DICOM object names.

    Raises:
        MissingPackageError: the format needs a package that is not installed.
        UsageError: something was asked for that only DICOM has.
    """

    settings: FolderSettings
    schema: LabelSchema
    card: ModelCard

    def __post_init__(self) -> None:
        """Say at once, and not after the first scan, what cannot be."""
        if self._is_dicom:
            check_highdicom()
        elif self.settings.fractional or self.settings.measurements:
            raise UsageError(
                f"The format {self.settings.format} has no place for probabilities or a report of volumes.",
                "Use the format dicom-seg, or leave them out; the volumes are in the table in any case.",
            )

    @property
    def suffix(self) -> str:
        """Of the segmentations' files."""
        return label_suffix(self.settings.format)

    def report_of(self, target: Path) -> Path | None:
        """Where the volumes of a segmentation are reported; None when nobody asked for that."""
        if not self.settings.measurements:
            return None
        return target.with_name(target.name.removesuffix(DICOM_SEGMENTATION_SUFFIX) + _REPORT_SUFFIX)

    def refusal(self, source: Source) -> str | None:
        """Why a scan's segmentation cannot be written like this; None when it can."""
        if not self._is_dicom or source.channels[0].series is not None:
            return None
        return (
            f"{source.title} is no DICOM series, and a DICOM segmentation refers to one. "
            "Use the format seg.nrrd or nii.gz for it."
        )

    def write(self, path: Path, source: Source, prediction: Prediction, opinion: Opinion) -> None:
        """Write a segmentation on its scan's grid, and beside it the report when one is asked for.

        Raises:
            ImageError: a DICOM segmentation cannot refer to the series.
            StorageError: the disk is full, or the folder may not be written.
        """
        series = source.channels[0].series
        if not self._is_dicom or series is None:
            write_labels(path, prediction.values, opinion.way.grid, self.schema)
            return
        from medssl.imaging.dicom_measurements import make_measurements
        from medssl.imaging.dicom_seg_writing import Algorithm, make_segmentation, write_dicom

        algorithm = Algorithm(self.card.name, self.card.id)
        chances = opinion.way.restore(opinion.probabilities[1:]).numpy() if self.settings.fractional else None
        made = make_segmentation(prediction.values, series, self.schema, algorithm, chances)
        write_dicom(path, made)
        report = self.report_of(path)
        if report is not None:
            write_dicom(
                report, make_measurements(made, series, self.schema, prediction.volumes_ml, algorithm)
            )

    @property
    def _is_dicom(self) -> bool:
        return self.settings.format == "dicom-seg"
