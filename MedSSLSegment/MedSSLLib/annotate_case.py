"""A case that is annotated, read with its newest annotation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from MedSSLLib.segmentations import LoadedLabels, read_labels
from MedSSLLib.volumes import fetch_volumes
from MedSSLLib.voxel_files import LoadedVolume

if TYPE_CHECKING:
    from medssl.client import Case, Client, Project

    from MedSSLLib.engine_files import EngineFiles


@dataclass(frozen=True, eq=False)
class OpenedCase:
    """A case in memory that no node shows yet; `labels` is None without an annotation."""

    case: Case
    scans: tuple[LoadedVolume, ...]
    labels: Optional[LoadedLabels]


def fetch_case(client: Client, files: EngineFiles, project: Project, case_id: int) -> OpenedCase:
    """Read a case and its newest annotation; for a thread beside the main one.

    Raises:
        Problem, EngineError: a part of it cannot be had, or not be read.
    """
    case = client.case(project.key, case_id)
    scans = fetch_volumes(client, files, project.key, case)
    annotation = case.annotation
    if annotation is None:
        return OpenedCase(case, scans, None)
    version = annotation.version

    def download(target: Path) -> Path:
        return client.download_annotation(project.key, case.id, version, target)

    with files.fetched(annotation.path, download) as path:
        return OpenedCase(case, scans, read_labels(path))
