"""Segmenting a folder of scans, line by line as they are done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional

import slicer
from slicer.i18n import tr as _

from MedSSLLib import apply_files, backend, engine_reports
from MedSSLLib.apply_files import RowFiles
from MedSSLLib.engine_files import HANDED_OVER
from MedSSLLib.jobs_track import Track
from MedSSLLib.journeys import Errand, Journey
from MedSSLLib.problems import Problem
from MedSSLLib.segmentations import LoadedLabels, add_segmentation
from MedSSLLib.signals import Signal
from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import LoadedVolume

if TYPE_CHECKING:
    from medssl.client import Event

    from MedSSLLib.session import Session

_DICOM = "dicom-seg"


@dataclass(frozen=True)
class FolderChoices:
    """How a folder is segmented; the paths are those of this computer."""

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
        self._sending: set[str] = set()  # keys of projects
        self._loading = False
        session.journeys.arrived.connect(self._arrive)
        session.jobs.told.connect(lambda track: self._follow(track))
        session.jobs.listed.connect(self._recall)

    @property
    def busy(self) -> str:
        """What is done for the open project before there is a job; empty when nothing is."""
        project = self._session.project
        sending = project is not None and project.key in self._sending
        return _("Sending the scans...") if sending else ""

    @property
    def track(self) -> Optional[Track]:
        """The job that runs, else the newest one over a folder."""
        found = [track for track in self._session.jobs.tracks if _is_folder(track)]
        running = [track for track in found if not track.over]
        return next(iter(running or found), None)

    @property
    def rows(self) -> tuple[Event, ...]:
        """What became of the scans so far; those that could not be sent anywhere are the last."""
        if self.track is None:
            return ()
        journey = self._session.journeys.of(self.track.job.id)
        left = {} if journey is None else journey.left
        kind = backend.client_package().Event
        unsent = (
            kind(number=0, kind="row", time=0.0, name=name, state="failed", note=reason)
            for name, reason in left.items()
        )
        return (*self.track.rows.values(), *unsent)

    @property
    def report(self) -> str:
        """Path of the report on the engine's computer; empty until there is one."""
        return engine_reports.report_of(self.track)

    def start(self, choices: FolderChoices) -> None:
        """Segment the scans of a folder; for an engine on another computer they are sent first."""
        if choices.file_format == _DICOM and not self._session.files.shares_disk:
            self._session.report(
                Problem(
                    _("A DICOM segmentation names the patient, and scans are sent without the patient."),
                    _("Choose another format, or an engine of this computer."),
                )
            )
            return
        errand = Errand(
            request={
                "kind": "predict",
                "model": choices.model,
                "format": choices.file_format,
                "recursive": choices.recursive,
                "skip_done": choices.skip_done,
                "device": choices.device,
            },
            reads="inputs",
            source=choices.scans,
            recursive=choices.recursive,
            target=choices.output,
        )
        key = "" if self._session.project is None else self._session.project.key

        def sent() -> None:
            self._sending.discard(key)
            self.changed.emit()

        self._sending.add(key)
        self._session.journeys.submit(errand, lambda track: None, sent=sent)
        self.changed.emit()

    def cancel(self) -> None:
        """Ask the job to stop; what is segmented stays."""
        if self.track is not None:
            self._session.jobs.cancel(self.track.job.id)

    def show(self, name: str) -> None:
        """Load a scan and its segmentation into the scene, whatever they were written as."""
        track, project, files = self.track, self._session.project, self._session.files
        row = None if track is None else track.rows.get(name)
        if track is None or row is None or project is None or not row.output or self._loading:
            return
        output = str((track.job.request or {}).get("output", ""))
        scan, journey = row.source, self._session.journeys.of(track.job.id)
        if journey is not None and journey.arrived:
            # The engine keeps nothing of it; what it cannot be asked for is in files of this computer.
            files, output = replace(files, shares_disk=True), journey.here
            scan = journey.sources.get(name, row.source)
        key, job = project.key, track.job.id
        wanted = RowFiles(name, scan, f"{output}/{row.output}")
        self._loading = True
        self._session.say(_("Loading {name}...").format(name=name))

        def show(found: tuple[LoadedVolume, LoadedLabels]) -> None:
            self._loading = False
            volume = add_volume(found[0], name)
            add_segmentation(found[1], project, _("{name} segmented").format(name=name), volume)
            slicer.util.setSliceViewerLayers(background=volume, fit=True)
            self._session.say(_("{name} is in the scene.").format(name=name))

        def fail(error: Exception) -> None:
            self._loading = False
            self._session.report(error)

        self._session.ask(lambda client: apply_files.fetch_row(client, files, key, job, wanted), show, fail)

    def open_report(self) -> None:
        """Show the report in the browser."""
        engine_reports.open_report(self._session, self.track)

    def _arrive(self, journey: Journey, track: Track, left: str) -> None:
        if not _is_folder(track):
            return
        if journey.arrived:
            self._session.say(_("The results are in {folder}.").format(folder=journey.here) + left)
        elif left or any(row.output for row in track.rows.values()):
            self._session.say(_("What was segmented is in {folder}.").format(folder=journey.here) + left)

    def _follow(self, track: Track) -> None:
        if track is self.track:
            self.changed.emit()

    def _recall(self) -> None:
        track = self.track
        if track is not None and track.over and not track.whole:
            self._session.jobs.recall(track.job.id, lambda recalled: self.changed.emit())
        self.changed.emit()


def _is_folder(track: Track) -> bool:
    """Whether a job segments a folder that a person chose, and no volume of the scene."""
    request = track.job.request
    return (
        track.job.kind == "predict"
        and request is not None
        and f"/cache/{HANDED_OVER}/" not in str(request.get("output", "")).replace("\\", "/")
    )
