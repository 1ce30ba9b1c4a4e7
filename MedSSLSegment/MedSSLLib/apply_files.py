"""A volume of the scene on its way through the engine, and the segmentation on its way back."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Optional

from MedSSLLib.dicom_series import read_series
from MedSSLLib.grids import Grid
from MedSSLLib.segmentations import LoadedLabels, read_labels
from MedSSLLib.volumes import VolumeSnapshot, write_snapshot
from MedSSLLib.voxel_files import LoadedVolume, read_volume

if TYPE_CHECKING:
    from medssl.client import Client, Job, Project

    from MedSSLLib.engine_files import EngineFiles

_FOLDER = "from-slicer"  # inside a project's folder `cache`, of which everything may be deleted at any time


@dataclass(frozen=True)
class SentVolume:
    """A volume that a job segments.

    Attributes:
        job: the job.
        folder: of its files on the engine's computer.
        upload: id of the upload, None where the engine sees the same disk.
    """

    job: Job
    folder: str
    upload: Optional[str]


def send_volume(
    client: Client, files: EngineFiles, project: Project, snapshot: VolumeSnapshot, model: str, device: str
) -> SentVolume:
    """Hand a volume over and begin to segment it; for a thread beside the main one.

    Raises:
        Problem, EngineError: it cannot be written, sent, or segmented.
    """
    name = uuid.uuid4().hex[:12]
    folder = str(PurePosixPath(Path(project.folder).as_posix()) / "cache" / _FOLDER / name)
    upload = None
    try:
        if files.shares_disk:
            scan = str(Path(folder) / "scan" / "scan.nrrd")
            write_snapshot(snapshot, Path(scan))
        else:
            with files.workspace() as temporary:
                write_snapshot(snapshot, temporary / "scan.nrrd")
                sent = client.upload(temporary / "scan.nrrd")
            scan, upload = sent.path, sent.id
        request = {
            "kind": "predict",
            "inputs": [scan],
            "output": f"{folder}/segmented",
            "model": model,
            "device": device,
        }
        return SentVolume(client.submit(project.key, request), folder, upload)
    except Exception:
        _remove(client, files, folder, upload)
        raise


def fetch_result(client: Client, files: EngineFiles, output: str) -> LoadedLabels:
    """Read a segmentation that a job wrote; for a thread beside the main one."""
    with files.fetched(output, lambda target: client.download(output, target)) as path:
        return read_labels(path)


def fetch_scan(client: Client, files: EngineFiles, source: str, grid: Grid) -> LoadedVolume:
    """Read a scan of a folder that a job went through; for a thread beside the main one.

    Args:
        client: of the engine.
        files: the way to it.
        source: the scan's file, or the folder with its DICOM series.
        grid: of its segmentation, by which its series is told from others in the folder.

    Raises:
        Problem, EngineError: it cannot be had, or not be read.
    """
    if files.shares_disk and Path(source).is_dir():
        return read_series(Path(source), grid)
    with files.fetched(source, lambda target: client.download(source, target)) as path:
        return read_volume(path)


def clean_up(client: Client, files: EngineFiles, sent: SentVolume) -> None:
    """Remove the files of a volume that is done with."""
    _remove(client, files, sent.folder, sent.upload)


def _remove(client: Client, files: EngineFiles, folder: str, upload: Optional[str]) -> None:
    if files.shares_disk:
        shutil.rmtree(folder, ignore_errors=True)
    elif upload is not None:
        client.remove_upload(upload)
