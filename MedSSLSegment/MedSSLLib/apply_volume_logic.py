"""Segmenting one volume of the scene with a model of the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import slicer
from slicer.i18n import tr as _

from MedSSLLib import apply_files
from MedSSLLib.apply_files import SentVolume
from MedSSLLib.jobs_track import Track
from MedSSLLib.problems import Problem
from MedSSLLib.segmentations import LoadedLabels, add_segmentation
from MedSSLLib.signals import Signal
from MedSSLLib.volumes import snapshot_volume

if TYPE_CHECKING:
    from medssl.client import Client, Event

    from MedSSLLib.session import Session


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A volume whose segmentation is on its way."""

    sent: SentVolume
    volume_id: str
    name: str


class VolumeLogic:
    """Sends a volume, waits for its segmentation, and shows it on the volume.

    Attributes:
        changed: what it does now, or what came out, changed.
        busy: what it does now; empty when it waits for nothing.
        outcome: what came out of the last volume, in one sentence.
        last: the vtkMRMLSegmentationNode that was shown last, None before the first.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.busy = ""
        self.outcome = ""
        self.last: Optional[Any] = None
        self._session = session
        self._waiting: Optional[_Waiting] = None
        session.jobs.told.connect(self._hear)
        session.jobs.ended.connect(self._end)
        session.jobs.listed.connect(self._look)

    def segment(self, volume: Any, model: str, device: str) -> None:
        """Segment a volume node of the scene, wherever transforms put it.

        Args:
            volume: the vtkMRMLScalarVolumeNode.
            model: id of the model.
            device: where to compute.
        """
        project = self._session.project
        if project is None or self.busy:
            return
        try:
            if len(project.channel_names) > 1:
                names = ", ".join(project.channel_names)
                raise Problem(
                    _("The model takes {count} images a scan: {names}.").format(
                        count=len(project.channel_names), names=names
                    ),
                    _("Segment a folder, where files of one scan are found together."),
                )
            snapshot = snapshot_volume(volume)
        except Problem as problem:
            self._session.report(problem)
            return
        files, volume_id, name = self._session.files, volume.GetID(), volume.GetName()
        self._say(_("Sending {name}...").format(name=name))

        def sent(found: SentVolume) -> None:
            self._waiting = _Waiting(found, volume_id, name)
            self._look()  # the job may have been listed, and over, before its name came back
            self._session.jobs.refresh()

        self._session.ask(
            lambda client: apply_files.send_volume(client, files, project, snapshot, model, device),
            sent,
            self._fail,
        )

    def cancel(self) -> None:
        """Ask the segmentation to stop."""
        if self._waiting is not None:
            self._session.jobs.cancel(self._waiting.sent.job.id)

    def _hear(self, track: Track) -> None:
        if self._waiting is not None and track.job.id == self._waiting.sent.job.id:
            left = f", {track.left}" if track.left else ""
            self._say(_("Segmenting {name}{left}...").format(name=self._waiting.name, left=left))

    def _look(self) -> None:
        """A small scan may be segmented before anyone could listen."""
        track = None if self._waiting is None else self._session.jobs.track(self._waiting.sent.job.id)
        if track is not None and track.over and track.job.ended is not None:
            self._session.jobs.recall(track.job.id, self._end)

    def _end(self, track: Track) -> None:
        waiting = self._waiting
        if waiting is None or track.job.id != waiting.sent.job.id:
            return
        self._waiting = None
        row = next(iter(track.rows.values()), None)
        files, sent = self._session.files, waiting.sent
        if track.state != "finished" or row is None or row.state == "failed":
            reason = row.note if row is not None and row.note else track.job.error
            self._say("", reason or _("The segmentation was cancelled."))
            self._session.ask(lambda client: apply_files.clean_up(client, files, sent))
            return
        output = f"{sent.folder}/segmented/{row.output}"

        def fetch(client: Client) -> LoadedLabels:
            labels = apply_files.fetch_result(client, files, output)
            apply_files.clean_up(client, files, sent)
            return labels

        self._session.ask(fetch, lambda labels: self._show(waiting, labels, row), self._fail)

    def _show(self, waiting: _Waiting, labels: LoadedLabels, row: Event) -> None:
        project = self._session.project
        volume = slicer.mrmlScene.GetNodeByID(waiting.volume_id)
        if project is None or volume is None or volume.GetName() != waiting.name:
            self._say("", _("{name} left the scene before it was segmented.").format(name=waiting.name))
            return
        title = _("{name} segmented").format(name=waiting.name)
        self.last = add_segmentation(labels, project.segments, title, volume)
        # It was segmented where its transforms had put it.
        self.last.SetAndObserveTransformNodeID(None)
        self._say("", summary(row))

    def _fail(self, error: Exception) -> None:
        self._waiting = None
        self._say("")
        self._session.report(error)

    def _say(self, busy: str, outcome: str = "") -> None:
        self.busy = busy
        self.outcome = outcome
        self.changed.emit()


def summary(row: Event) -> str:
    """Say what was found in a scan: its volumes, and how certain that is."""
    found = [f"{name} {volume:.1f} ml" for name, volume in row.volumes_ml.items()]
    if row.uncertainty is not None:
        found.append(_("uncertainty {score:.2f}").format(score=row.uncertainty))
    return " · ".join(found)
