"""A case that is annotated: read with its newest annotation, and saved as the next version of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from MedSSLLib.grids import Grid
from MedSSLLib.review_saving import author_name
from MedSSLLib.segmentations import (
    UNANNOTATED,
    LoadedLabels,
    SegmentationSnapshot,
    labels_of,
    read_labels,
)
from MedSSLLib.slice_marks import SliceMarks
from MedSSLLib.volumes import fetch_volume
from MedSSLLib.voxel_files import LoadedVolume, write_nrrd

if TYPE_CHECKING:
    from medssl.client import Annotation, Case, Client, Project

    from MedSSLLib.engine_files import EngineFiles


@dataclass(frozen=True, eq=False)
class OpenedCase:
    """A case in memory that no node shows yet; `labels` is None without an annotation."""

    case: Case
    scans: tuple[LoadedVolume, ...]
    labels: Optional[LoadedLabels]


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a person drew on a case, with everything that saving it needs.

    Attributes:
        case: which.
        drawn: on it.
        values: label values by segment ids.
        grid: of the case.
        marks: which slices are done; with none of those that should be marked, the drawn ones count as done.
        seconds: that the person spent.
    """

    case: Case
    drawn: SegmentationSnapshot
    values: Mapping[str, int]
    grid: Grid
    marks: SliceMarks
    seconds: float


def fetch_case(client: Client, files: EngineFiles, project: Project, case_id: int) -> OpenedCase:
    """Read a case and its newest annotation; for a thread beside the main one.

    Raises:
        Problem, EngineError: a part of it cannot be had, or not be read.
    """
    case = client.case(project.key, case_id)
    scans = tuple(
        fetch_volume(client, files, project.key, case, channel) for channel in range(len(case.channels))
    )
    annotation = case.annotation
    if annotation is None:
        return OpenedCase(case, scans, None)
    version = annotation.version

    def download(target: Path) -> Path:
        return client.download_annotation(project.key, case.id, version, target)

    with files.fetched(annotation.path, download) as path:
        return OpenedCase(case, scans, read_labels(path))


def sender(project: Project, drawing: Drawing) -> Callable[[Client, EngineFiles], Optional[Annotation]]:
    """Make the function that saves a drawing; it may be called again when it fails.

    It returns None, and saves nothing, when nothing is drawn and not every slice was looked at.
    """

    def send(client: Client, files: EngineFiles) -> Optional[Annotation]:
        labels = labels_of(drawing.drawn, drawing.values)
        marks = drawing.marks.copy()
        if marks.partly and not marks.done:
            marks.mark_drawn(labels)  # rather these than nothing
            if not marks.done:
                return None

        def write(path: Path) -> None:
            write_labels(path, labels, drawing.grid, marks.unannotated())

        with files.handed_over(client, project, "annotation.nrrd", write) as path:
            return client.save_annotation(
                project.key, drawing.case.id, path, author=author_name(), seconds=drawing.seconds
            )

    return send


def write_labels(path: Path, labels: np.ndarray, grid: Grid, unannotated: Optional[np.ndarray]) -> None:
    """Write a label map; for a thread beside the main one.

    Args:
        path: of the new file, .nrrd.
        labels: uint8 (k, j, i); what nobody looked at is marked in it.
        grid: where the voxels of the case lie.
        unannotated: (k, j, i), where nobody looked; what is drawn there counts all the same.

    Raises:
        Problem: it cannot be written.
    """
    if unannotated is not None:
        np.copyto(labels, np.uint8(UNANNOTATED), where=unannotated & (labels == 0))
    write_nrrd(path, labels, grid)
