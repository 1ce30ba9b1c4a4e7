"""A volume of the scene on its way through the engine, and the segmentation on its way back."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Optional

from MedSSLLib import backend
from MedSSLLib.dicom_series import DicomSeries, find_series, read_series
from MedSSLLib.engine_files import HANDED_OVER, take_back
from MedSSLLib.segmentations import LoadedLabels, read_labels
from MedSSLLib.volumes import VolumeSnapshot, write_snapshot
from MedSSLLib.voxel_files import LoadedVolume, read_volume, suffix_of

if TYPE_CHECKING:
    from medssl.client import Client, Job, Project

    from MedSSLLib.engine_files import EngineFiles


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


@dataclass(frozen=True)
class RowFiles:
    """A row of a job over folders: its name, and the paths of its scan, '' when untold, and segmentation."""

    name: str
    scan: str
    segmentation: str


def send_volume(
    client: Client,
    files: EngineFiles,
    project: Project,
    snapshot: VolumeSnapshot,
    model: str,
    device: str,
    wanted: Callable[[], bool],
) -> Optional[SentVolume]:
    """Hand a volume over and begin to segment it; for a thread beside the main one.

    Args:
        client: of the engine.
        files: the way to it.
        project: the volume is segmented in.
        snapshot: the volume.
        model: id of the model.
        device: where to compute.
        wanted: whether the person has not cancelled it meanwhile; once it is not, no job begins.

    Returns:
        None when it was cancelled; then nothing of it stays with the engine.

    Raises:
        Problem, EngineError: it cannot be written, sent, or segmented.
    """
    name = uuid.uuid4().hex[:12]
    folder = str(PurePosixPath(Path(project.folder).as_posix()) / "cache" / HANDED_OVER / name)
    upload: Optional[str] = None
    with ExitStack() as undo:
        undo.callback(lambda: _remove(client, files, folder, upload))
        if files.shares_disk:
            scan = str(Path(folder) / "scan" / "scan.nrrd")
            write_snapshot(snapshot, Path(scan))
        else:
            with files.workspace() as temporary:
                write_snapshot(snapshot, temporary / "scan.nrrd")
                if not wanted():
                    return None
                sent = client.upload(temporary / "scan.nrrd")
            scan, upload = sent.path, sent.id
        if not wanted():
            return None
        request = {
            "kind": "predict",
            "inputs": [scan],
            "output": f"{folder}/segmented",
            "model": model,
            "device": device,
        }
        job = client.submit(project.key, request)
        undo.pop_all()
    return SentVolume(job, folder, upload)


def fetch_result(client: Client, files: EngineFiles, output: str) -> LoadedLabels:
    """Read a segmentation that a job wrote; for a thread beside the main one."""
    with files.fetched(output, lambda target: client.download(output, target)) as path:
        return read_labels(path)


def fetch_row(
    client: Client, files: EngineFiles, project: str, job: str, row: RowFiles
) -> tuple[LoadedVolume, LoadedLabels]:
    """Read a scan of a folder that a job went through, and its segmentation; beside the main thread.

    What is no file that can be read here, such as a DICOM series or a DICOM segmentation, the engine reads,
    and hands over as one volume; a series that was sent to it from here is read here.

    Raises:
        Problem, EngineError: it cannot be had, or not be read.
    """

    def download_scan(target: Path) -> Path:
        return client.download_row_scan(project, job, row.name, target)

    series = _series_here(files, row)
    if series is not None:
        scan = read_series(series)
    else:
        with files.fetched(row.scan, download_scan) as path:
            scan = read_volume(path)
    if files.shares_disk and suffix_of(Path(row.segmentation)):
        return scan, read_labels(Path(row.segmentation))
    with files.workspace() as folder:
        target = folder / "segmentation.seg.nrrd"
        return scan, read_labels(client.download_row_segmentation(project, job, row.name, target))


def _series_here(files: EngineFiles, row: RowFiles) -> Optional[DicomSeries]:
    """The series of a row in a folder of this computer, from which it was sent."""
    if not files.shares_disk or not row.scan or not Path(row.scan).is_dir():
        return None
    return next((each for each in find_series(Path(row.scan)) if each.neutral_name == row.name), None)


def clean_up(client: Client, files: EngineFiles, sent: SentVolume) -> None:
    """Remove the files of a volume that is done with."""
    _remove(client, files, sent.folder, sent.upload)


def abandon(client: Client, files: EngineFiles, project: str, sent: SentVolume) -> None:
    """Cancel the job of a volume that nobody wants any more, and remove its files; beside the main thread."""
    with suppress(backend.client_package().EngineError):  # it may be over
        client.cancel(project, sent.job.id)
    clean_up(client, files, sent)


def _remove(client: Client, files: EngineFiles, folder: str, upload: Optional[str]) -> None:
    if files.shares_disk:
        shutil.rmtree(folder, ignore_errors=True)
    elif upload is not None:
        take_back(client, upload)
