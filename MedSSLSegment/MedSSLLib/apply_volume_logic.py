"""Segmenting one volume of the scene with a model of the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from MedSSLLib import apply_files
from MedSSLLib.apply_files import SentVolume
from MedSSLLib.engine_files import is_away
from MedSSLLib.jobs_track import Track
from MedSSLLib.problems import Problem
from MedSSLLib.segmentations import LoadedLabels, add_segmentation
from MedSSLLib.signals import Signal
from MedSSLLib.volumes import snapshot_volume

if TYPE_CHECKING:
    from medssl.client import Client, Event, Project

    from MedSSLLib.session import Session

_AGAIN_MS = 10_000  # until the next look for a result that is not here yet


@dataclass
class _Run:
    """What is done, or came out, with the last volume of one project.

    Attributes:
        project: as it was when the volume was sent.
        name: of the volume then.
        volume: a weak reference to its node: another one may get its name, and after a scene its ID.
        busy: what is done; empty when nothing is.
        outcome: what came out, in one sentence.
        sent: the volume on its way; None before it is sent, and once its segmentation is here.
        fetching: the segmentation is on its way back.
        stopped: the person cancelled what no job does, so that nothing more is said or shown of it.
    """

    project: Project
    name: str
    volume: Any
    busy: str
    outcome: str = ""
    sent: Optional[SentVolume] = None
    fetching: bool = False
    stopped: bool = False


class VolumeLogic:
    """Sends a volume, waits for its segmentation, and shows it on the volume.

    When another project is opened in between, the segmentation waits until the project of before is again.
    When the network breaks while it is fetched, it is fetched as soon as the engine answers.

    Attributes:
        changed: what it does now, or what came out, changed.
        last: the vtkMRMLSegmentationNode that was shown last, None before the first.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.last: Optional[Any] = None
        self._session = session
        self._runs: dict[str, _Run] = {}  # by the keys of projects
        self._open = ""  # key of the open project
        self._again = qt.QTimer()
        self._again.setInterval(_AGAIN_MS)
        self._again.timeout.connect(self._look)
        self._project_changed()
        session.jobs.told.connect(self._hear)
        session.jobs.ended.connect(self._end)
        session.jobs.listed.connect(self._look)
        session.engine_changed.connect(self._look)
        session.project_changed.connect(self._project_changed)

    @property
    def busy(self) -> str:
        """What it does now for the open project; empty when it waits for nothing."""
        return "" if self._run is None else self._run.busy

    @property
    def outcome(self) -> str:
        """What came out of the last volume of the open project, in one sentence."""
        return "" if self._run is None else self._run.outcome

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
        node = vtk.vtkWeakReference()
        node.Set(volume)
        files, name = self._session.files, volume.GetName()
        run = _Run(project, name, node, _("Sending {name}...").format(name=name))
        self._runs[project.key] = run
        self.changed.emit()

        def sent(found: Optional[SentVolume]) -> None:
            if found is not None and run.stopped:  # the job began in that moment
                given = found
                self._session.ask(lambda client: apply_files.abandon(client, files, project.key, given))
            if found is None or run.stopped:
                return
            run.sent = found
            self._again.start()
            self._look()  # the job may have been listed, and over, before its name came back
            self._session.jobs.refresh()

        self._session.ask(
            lambda client: apply_files.send_volume(
                client, files, project, snapshot, model, device, wanted=lambda: not run.stopped
            ),
            sent,
            lambda error: self._fail(run, error),
        )

    def cancel(self) -> None:
        """Ask the segmentation to stop; what no job does yet, or any more, is over at once."""
        run = self._run
        if run is None or not run.busy:
            return
        sent, files = run.sent, self._session.files
        track = None if sent is None else self._session.jobs.track(sent.job.id)
        if sent is not None and not (track is not None and track.over):
            self._session.jobs.cancel(sent.job.id)
            return
        run.stopped, run.sent = True, None
        if sent is not None:
            self._session.ask(lambda client: apply_files.clean_up(client, files, sent), failed=_pass_over)
        self._say(run, "", _("The segmentation was cancelled."))

    def close(self) -> None:
        """Look for no result any more."""
        self._again.stop()

    @property
    def _run(self) -> Optional[_Run]:
        return self._runs.get(self._open)

    def _project_changed(self) -> None:
        project, left = self._session.project, self._run
        key = "" if project is None else project.key
        if key == self._open:
            return
        self._open = key
        self.changed.emit()
        if left is not None and left.busy:
            text = _("{name} is still being segmented in the project '{project}'.")
            remedy = _("The segmentation is shown when that project is open again.")
            self._session.say(text.format(name=left.name, project=left.project.name), remedy)

    def _hear(self, track: Track) -> None:
        run = self._run
        if run is not None and run.sent is not None and track.job.id == run.sent.job.id:
            left = f", {track.left}" if track.left else ""
            self._say(run, _("Segmenting {name}{left}...").format(name=run.name, left=left))

    def _look(self) -> None:
        """A small scan may be segmented before anyone could listen, or while another project was open."""
        if not any(run.sent is not None for run in self._runs.values()):
            self._again.stop()
        run = self._run
        track = None if run is None or run.sent is None else self._session.jobs.track(run.sent.job.id)
        if track is not None and track.over and track.job.ended is not None:
            self._session.jobs.recall(track.job.id, self._end)

    def _end(self, track: Track) -> None:
        run = self._run
        if run is None or run.sent is None or track.job.id != run.sent.job.id or run.fetching:
            return
        if self._session.client is None:  # it went; the segmentation is looked for when there is one
            return
        sent, files = run.sent, self._session.files
        row = next(iter(track.rows.values()), None)
        if track.state == "finished" and row is not None and row.state != "failed":
            self._fetch(run, sent, row)
            return
        run.sent = None
        reason = "" if row is None else _note(row, run.name)
        self._say(run, "", reason or track.job.error or _("The segmentation was cancelled."))
        self._session.ask(lambda client: apply_files.clean_up(client, files, sent))

    def _fetch(self, run: _Run, sent: SentVolume, row: Event) -> None:
        files, output = self._session.files, f"{sent.folder}/segmented/{row.output}"
        run.fetching = True

        def fetch(client: Client) -> LoadedLabels:
            labels = apply_files.fetch_result(client, files, output)
            apply_files.clean_up(client, files, sent)
            return labels

        def fetched(labels: LoadedLabels) -> None:
            run.sent, run.fetching = None, False
            self._show(run, labels, row)

        def failed(error: Exception) -> None:
            run.fetching = False
            if run.stopped or not is_away(error):
                self._fail(run, error)
                return
            text = _(
                "{name} is segmented, but the engine does not answer. "
                "The segmentation is fetched as soon as it does."
            )
            self._say(run, text.format(name=run.name))

        self._session.ask(fetch, fetched, failed)

    def _show(self, run: _Run, labels: LoadedLabels, row: Event) -> None:
        if run.stopped:
            return
        volume = run.volume.Get()
        if volume is None or not slicer.mrmlScene.IsNodePresent(volume):
            self._say(run, "", _("{name} left the scene before it was segmented.").format(name=run.name))
            return
        title = _("{name} segmented").format(name=volume.GetName())
        self.last = add_segmentation(labels, run.project, title, volume)
        # It was segmented where its transforms had put it.
        self.last.SetAndObserveTransformNodeID(None)
        self._say(run, "", "\n".join(filter(None, (summary(row), _note(row, run.name)))))

    def _fail(self, run: _Run, error: Exception) -> None:
        if run.stopped:
            return
        run.sent = None
        self._say(run, "")
        self._session.report(error)

    def _say(self, run: _Run, busy: str, outcome: str = "") -> None:
        run.busy = busy
        run.outcome = outcome
        self.changed.emit()


def _pass_over(_error: Exception) -> None:
    """What stays with an engine that is away, it removes by itself after a day."""


def summary(row: Event) -> str:
    """Say what was found in a scan: its volumes, and how certain that is."""
    found = [f"{name} {volume:.1f} ml" for name, volume in row.volumes_ml.items()]
    if row.uncertainty is not None:
        found.append(_("uncertainty {score:.2f}").format(score=row.uncertainty))
    return " · ".join(found)


def _note(row: Event, name: str) -> str:
    """What the engine has to say of a volume, by its name instead of the file that it was handed over in."""
    return row.note.replace(row.source, name) if row.source else row.note
