"""Files on their way between the engine and Slicer: by path where both see the same disk, else sent."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MedSSLLib import backend
from MedSSLLib.dicom_series import DicomSeries, write_without_patient
from MedSSLLib.folder_scans import FolderScan
from MedSSLLib.voxel_files import suffix_of

if TYPE_CHECKING:
    from medssl.client import Case, Client, Project, ResultFolder

HANDED_OVER = "from-slicer"
"""A folder inside a project's folder `cache`, of which everything may be deleted at any time."""

_AWAY = ("unreachable", "timeout")  # codes of the client


@dataclass(frozen=True)
class EngineFiles:
    """The way of files to and from one engine; everything here is for threads beside the main one.

    Attributes:
        shares_disk: whether the engine's paths are paths of this computer.
        temporary: Slicer's folder for what is soon deleted.
    """

    shares_disk: bool
    temporary: Path

    @contextmanager
    def channel(self, client: Client, project: str, case: Case, channel: int = 0) -> Iterator[Path]:
        """Give an image of a case as a file, which may be the case's own: only to be read.

        Raises:
            EngineError: it cannot be had.
        """

        def download(target: Path) -> Path:
            return client.download_channel(project, case.id, channel, target)

        with self.fetched(case.channels[channel], download) as path:
            yield path

    @contextmanager
    def fetched(self, stored: str, download: Callable[[Path], Path]) -> Iterator[Path]:
        """Give a file of the engine's computer.

        Args:
            stored: its path there.
            download: gets it into the path it is given.
        """
        path = Path(stored)
        suffix = suffix_of(path)
        if self.shares_disk and suffix and path.is_file():
            yield path
            return
        with self.workspace() as folder:
            # A DICOM series, which is a folder, comes as one NRRD file.
            yield download(folder / f"volume{suffix or '.nrrd'}")

    @contextmanager
    def handed_over(
        self, client: Client, project: Project, name: str, write: Callable[[Path], None]
    ) -> Iterator[str]:
        """Write a file and give the path by which the engine finds it, until the block ends.

        Args:
            client: of the engine.
            project: the project it is for.
            name: of the file.
            write: writes it to the path it is given.
        """
        if self.shares_disk:
            folder = Path(project.folder) / "cache" / HANDED_OVER / uuid.uuid4().hex[:12]
            try:
                write(folder / name)
                yield str(folder / name)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return
        with self.workspace() as folder:
            write(folder / name)
            with self.uploaded(client, folder / name) as path:
                yield path

    @contextmanager
    def uploaded(self, client: Client, path: Path) -> Iterator[str]:
        """Send a file, and give the path by which the engine finds it, until the block ends."""
        upload = client.upload(path)
        try:
            yield upload.path
        finally:
            take_back(client, upload.id)

    @contextmanager
    def uploaded_scan(self, client: Client, scan: FolderScan) -> Iterator[str]:
        """Send a scan of a folder, and give the path by which the engine finds it, until the block ends."""
        if scan.series is None:
            with self.uploaded(client, scan.source) as path:
                yield path
            return
        parcel = client.make_folder()
        try:
            self.send_series(client, scan.series, parcel, "series")
            yield f"{parcel.path}/series"
        finally:
            take_back(client, parcel.id)

    def send_series(self, client: Client, series: DicomSeries, parcel: ResultFolder, place: str) -> None:
        """Send a DICOM series, without anything about the patient, to a place in a folder of the engine.

        Raises:
            Problem: one of its images cannot be sent; then none was.
            EngineError: the engine takes it not.
        """
        with self.workspace() as folder:
            bare = [folder / f"{number:05d}.dcm" for number in range(len(series.files))]
            for source, target in zip(series.files, bare):
                write_without_patient(source, target)
            for path in bare:
                client.upload(path, folder=parcel, place=f"{place}/{path.name}")
                path.unlink()

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give an empty folder of this computer that is gone after the block."""
        folder = Path(tempfile.mkdtemp(prefix="MedSSL-", dir=self.temporary))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def is_away(error: Exception) -> bool:
    """Whether an error says that the engine, or the way to it, was not there: try again."""
    return getattr(error, "code", "") in _AWAY


def take_back(client: Client, upload: str) -> None:
    """Remove from the engine's computer what was sent there; the engine itself does so after a day."""
    with suppress(backend.client_package().EngineError):
        client.remove_upload(upload)
