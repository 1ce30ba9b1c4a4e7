"""Segmenting a folder of scans, line by line as they are done."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import qt
import slicer
from slicer.i18n import tr as _

from MedSSLLib import apply_files, folder_jobs
from MedSSLLib.jobs_track import Track
from MedSSLLib.segmentations import LoadedLabels, add_segmentation
from MedSSLLib.signals import Signal
from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import LoadedVolume

if TYPE_CHECKING:
    from medssl.client import Client, Event

    from MedSSLLib.session import Session

_DICOM = ".dcm"  # how the files of DICOM segmentations end


@dataclass(frozen=True)
class FolderChoices:
    """How a folder is segmented; the paths are those of the engine's computer."""

    scans: str
    output: str
    model: str
    file_format: str = "seg.nrrd"
    recursive: bool = True
    skip_done: bool = True
    device: str = "auto"


class FolderLogic:
    """Starts the job, knows its rows, and shows a result in the scene.

    Attributes:
        changed: rows came, or the job's state changed.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self._session = session
        self._loading = False
        session.jobs.told.connect(lambda track: self._follow(track))
        session.jobs.listed.connect(self._recall)

    @property
    def track(self) -> Optional[Track]:
        """The job that runs, else the newest one over a folder."""
        found = [track for track in self._session.jobs.tracks if _is_folder(track)]
        running = [track for track in found if not track.over]
        return next(iter(running or found), None)

    @property
    def rows(self) -> tuple[Event, ...]:
        """What became of the scans so far."""
        return () if self.track is None else tuple(self.track.rows.values())

    @property
    def report(self) -> str:
        """Path of the report on the engine's computer; empty until there is one."""
        result = None if self.track is None else self.track.job.result
        return "" if result is None else str(result.get("report", ""))

    def start(self, choices: FolderChoices) -> None:
        """Segment the scans of a folder."""
        request = {
            "kind": "predict",
            "inputs": [choices.scans],
            "output": choices.output,
            "model": choices.model,
            "format": choices.file_format,
            "recursive": choices.recursive,
            "skip_done": choices.skip_done,
            "device": choices.device,
        }
        folders = (choices.scans, choices.output)
        folder_jobs.submit(self._session, request, folders, lambda track: self.changed.emit())

    def cancel(self) -> None:
        """Ask the job to stop; what is segmented stays."""
        if self.track is not None:
            self._session.jobs.cancel(self.track.job.id)

    def show(self, name: str) -> None:
        """Load a scan and its segmentation into the scene."""
        track, project, files = self.track, self._session.project, self._session.files
        row = None if track is None else track.rows.get(name)
        if track is None or row is None or project is None or not row.output or self._loading:
            return
        if not row.source:
            told = _("{name} is a DICOM series; load it and its segmentation with the module DICOM.")
            self._session.say(told.format(name=name))
            return
        if row.output.endswith(_DICOM):
            self._session.say(
                _("{name} was written as a DICOM segmentation.").format(name=name),
                _("Import it in Slicer's module DICOM, together with its scan."),
            )
            return
        request = track.job.request or {}
        output = f"{request.get('output', '')}/{row.output}"
        source, segments = row.source, project.segments
        self._loading = True

        def fetch(client: Client) -> tuple[LoadedVolume, LoadedLabels]:
            labels = apply_files.fetch_result(client, files, output)
            return apply_files.fetch_scan(client, files, source, labels.grid), labels

        def show(found: tuple[LoadedVolume, LoadedLabels]) -> None:
            self._loading = False
            scan, labels = found
            volume = add_volume(scan, name)
            add_segmentation(labels, segments, f"{name} segmented", volume)
            slicer.util.setSliceViewerLayers(background=volume, fit=True)
            self._session.say(_("{name} is in the scene.").format(name=name))

        def fail(error: Exception) -> None:
            self._loading = False
            self._session.report(error)

        self._session.ask(fetch, show, fail)

    def open_report(self) -> None:
        """Show the report in the browser."""
        report, files = self.report, self._session.files
        if not report:
            return

        def fetch(client: Client) -> str:
            if files.shares_disk and Path(report).is_file():
                return report
            # It stays there for the browser; Slicer empties the folder when it ends.
            folder = Path(tempfile.mkdtemp(prefix="MedSSL-report-", dir=files.temporary))
            return str(client.download(report, folder / Path(report).name))

        self._session.ask(fetch, _open_file)

    def _follow(self, track: Track) -> None:
        if track is self.track:
            self.changed.emit()

    def _recall(self) -> None:
        track = self.track
        if track is not None and track.over and not track.last:
            self._session.jobs.recall(track.job.id, lambda recalled: self.changed.emit())
        self.changed.emit()


def _is_folder(track: Track) -> bool:
    """Whether a job segments a folder that a person chose, and no volume of the scene."""
    request = track.job.request
    return (
        track.job.kind == "predict"
        and request is not None
        and "/cache/from-slicer/" not in str(request.get("output", "")).replace("\\", "/")
    )


def _open_file(path: str) -> Any:
    if not slicer.app.testingEnabled():
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))
