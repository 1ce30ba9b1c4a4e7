"""How a segmentation is written: as a file of labels, or as a DICOM object that belongs to its series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medssl.imaging.dicom_packages import check_highdicom
from medssl.imaging.formats import LabelFormat
from medssl.imaging.labels import write_labels
from medssl.imaging.volume import Grid
from medssl.inference.sources import Source
from medssl.labels import LabelSchema
from medssl.learning.card import ModelCard


@dataclass(frozen=True)
class Output:
    """What segmentations are written as.

    Attributes:
        format: of the files.
        schema: what the label values mean.
        card: of the model, which a DICOM object names.

    Raises:
        MissingPackageError: the format needs a package that is not installed.
    """

    format: LabelFormat
    schema: LabelSchema
    card: ModelCard

    def __post_init__(self) -> None:
        """Say at once, and not after the first scan, what is missing."""
        if self.format == "dicom-seg":
            check_highdicom()

    def refusal(self, source: Source) -> str | None:
        """Why a scan's segmentation cannot be written like this; None when it can."""
        if self.format != "dicom-seg" or source.channels[0].series is not None:
            return None
        return (
            f"{source.channels[0].source} is no DICOM series, and a DICOM segmentation refers to one. "
            "Use the format seg.nrrd or nii.gz for it."
        )

    def write(self, path: Path, values: NDArray[np.uint8], grid: Grid, source: Source) -> None:
        """Write label values (z, y, x) on the scan's grid.

        Raises:
            ImageError: a DICOM segmentation cannot refer to the series.
            StorageError: the disk is full, or the folder may not be written.
        """
        series = source.channels[0].series
        if self.format != "dicom-seg" or series is None:
            write_labels(path, values, grid, self.schema)
            return
        from medssl.imaging.dicom_seg_writing import Algorithm, make_segmentation, write_dicom

        algorithm = Algorithm(self.card.name, self.card.id)
        write_dicom(path, make_segmentation(values, series, self.schema, algorithm))
