"""A case that is annotated, read with its newest annotation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from MedSSLLib.segmentations import LoadedLabels, label_map_of, read_labels
from MedSSLLib.slice_marks import SliceMarks, marks_of
from MedSSLLib.volumes import fetch_volumes
from MedSSLLib.voxel_files import LoadedVolume

if TYPE_CHECKING:
    from medssl.client import Case, Client, Project

    from MedSSLLib.engine_files import EngineFiles


@dataclass(frozen=True, eq=False)
class OpenedCase:
    """A case in memory that no node shows yet.

    Attributes:
        labels: of its annotation; None without one.
        marks: the slices that are done in it.
    """

    case: Case
    scans: tuple[LoadedVolume, ...]
    labels: Optional[LoadedLabels]
    marks: SliceMarks


def fetch_case(client: Client, files: EngineFiles, project: Project, case_id: int) -> OpenedCase:
    """Read a case and its newest annotation; for a thread beside the main one.

    Raises:
        Problem, EngineError: a part of it cannot be had, or not be read.
    """
    case = client.case(project.key, case_id)
    scans = fetch_volumes(client, files, project.key, case)
    annotation, shape = case.annotation, scans[0].grid.shape
    if annotation is None:
        return OpenedCase(case, scans, None, SliceMarks(shape))
    version = annotation.version

    def download(target: Path) -> Path:
        return client.download_annotation(project.key, case.id, version, target)

    with files.fetched(annotation.path, download) as path:
        labels = read_labels(path)
    hidden = labels.unannotated
    drawn = None if hidden is None else label_map_of(labels)
    return OpenedCase(case, scans, labels, marks_of(shape, hidden, drawn))
