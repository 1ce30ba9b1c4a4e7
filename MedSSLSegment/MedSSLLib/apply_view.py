"""The section Apply: one volume of the scene, or a folder with a live table of its scans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Protocol

import slicer
from slicer.i18n import tr as _

from MedSSLLib import choice_box, table_rows
from MedSSLLib.apply_folder_logic import FolderChoices, FolderLogic
from MedSSLLib.apply_volume_logic import VolumeLogic
from MedSSLLib.channel_rules import ChannelRulesLogic
from MedSSLLib.channel_rules_view import ChannelRulesView
from MedSSLLib.jobs_track import Track
from MedSSLLib.learning_choices import Choice
from MedSSLLib.plurals import plural
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal
from MedSSLLib.train_refining import USUAL_DEVICE

if TYPE_CHECKING:
    from medssl.client import Event, ModelChannels

    from MedSSLLib.session import Session

_ROWS = 10
_STATES = {"done": "done", "skipped": "done before", "failed": "failed", "unfit": "left out"}
_SEGMENTED = ("done", "skipped")  # a note on others is why they are not


class Models(Protocol):
    """The models to choose from; `MedSSLLib.models_logic.ModelsLogic`."""

    changed: Signal

    @property
    def segmenting(self) -> tuple[Choice, ...]:
        """The models that segment, the newest first."""


class Offers(Protocol):
    """What the engine offers; `MedSSLLib.learning_offers.LearningOffers` knows."""

    changed: Signal

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute."""

    @property
    def formats(self) -> tuple[Choice, ...]:
        """What segmentations can be written as."""


class Volume(Protocol):
    """Segments one volume; `MedSSLLib.apply_volume_logic.VolumeLogic`."""

    changed: Signal

    @property
    def busy(self) -> str:
        """What it does now."""

    @property
    def outcome(self) -> str:
        """What came out of the last volume."""

    def segment(self, volume: Any, model: str, device: str) -> None:
        """Segment a volume node."""

    def cancel(self) -> None:
        """Ask it to stop."""

    def close(self) -> None:
        """Look for no result any more."""


class Folder(Protocol):
    """Segments a folder; `MedSSLLib.apply_folder_logic.FolderLogic`."""

    changed: Signal

    @property
    def busy(self) -> str:
        """What is done before there is a job."""

    @property
    def track(self) -> Optional[Track]:
        """The job to show."""

    @property
    def rows(self) -> tuple[Event, ...]:
        """What became of the scans so far."""

    @property
    def report(self) -> str:
        """Where the report is."""

    def start(self, choices: FolderChoices) -> None:
        """Segment the scans of a folder."""

    def cancel(self) -> None:
        """Ask the job to stop."""

    def show(self, name: str) -> None:
        """Load a scan and its segmentation."""

    def open_report(self) -> None:
        """Show the report."""


class Rules(Protocol):
    """Which series is which channel; `MedSSLLib.channel_rules.ChannelRulesLogic`."""

    @property
    def needed(self) -> bool:
        """Whether scans have several channels."""

    def ask(self, model: str, done: Callable[[ModelChannels], Any]) -> None:
        """Ask for the rules of a model."""

    def save(
        self,
        model: str,
        rules: Optional[Mapping[str, Any]],
        done: Callable[[ModelChannels], Any],
        failed: Callable[[Exception], Any],
    ) -> None:
        """Let rules count for a model from now on."""


def build(session: Session) -> ApplyView:
    """Make the section."""
    return ApplyView(
        session.models, session.offers, VolumeLogic(session), FolderLogic(session), ChannelRulesLogic(session)
    )


class ApplyView:
    """Shows both ways to apply a model and passes clicks on."""

    def __init__(self, models: Models, offers: Offers, volume: Volume, folder: Folder, rules: Rules) -> None:
        self._models, self._offers, self._rules = models, offers, rules
        self.volume, self.folder = volume, folder
        self.rules_view: Optional[ChannelRulesView] = None
        self.widget, self.ui = load_ui("Apply")
        self.ui.volumeSelector.setMRMLScene(slicer.mrmlScene)
        headings = [_("Scan"), _("Result"), _("Volume (ml)"), _("Uncertainty")]
        table_rows.prepare(self.ui.rowsTable, headings, stretched=(0,), right=(2, 3))
        self._connect_buttons()
        for signal in (models.changed, offers.changed, volume.changed, folder.changed):
            signal.connect(self._show)
        self._show()

    def enter(self) -> None:
        """The person comes to the module."""
        self._show()

    def exit(self) -> None:
        """The person goes to another module."""

    def close(self) -> None:
        """The module goes."""
        self.volume.close()
        if self.rules_view is not None:
            self.rules_view.close()

    def _connect_buttons(self) -> None:
        ui = self.ui
        ui.segmentVolumeButton.clicked.connect(lambda *_: self._segment_volume())
        ui.cancelVolumeButton.clicked.connect(lambda *_: self.volume.cancel())
        ui.segmentFolderButton.clicked.connect(lambda *_: self._segment_folder())
        ui.cancelFolderButton.clicked.connect(lambda *_: self.folder.cancel())
        ui.channelRulesButton.clicked.connect(lambda *_: self._show_rules())
        ui.reportButton.clicked.connect(lambda *_: self.folder.open_report())
        ui.rowsTable.cellDoubleClicked.connect(
            lambda row, *_: self.folder.show(table_rows.key_at(ui.rowsTable, row))
        )
        ui.rowsTable.itemSelectionChanged.connect(self._show_note)
        ui.volumeSelector.currentNodeIDChanged.connect(lambda *_: self._allow())
        for edit in (ui.scansEdit, ui.outputEdit):
            edit.currentPathChanged.connect(lambda *_: self._allow())

    def _segment_volume(self) -> None:
        self.volume.segment(self.ui.volumeSelector.currentNode(), *self._chosen())

    def _segment_folder(self) -> None:
        ui = self.ui
        model, device = self._chosen()
        self.folder.start(
            FolderChoices(
                scans=ui.scansEdit.currentPath,
                output=ui.outputEdit.currentPath,
                model=model,
                file_format=choice_box.chosen_key(ui.formatBox),
                recursive=bool(ui.recursiveBox.checked),
                skip_done=bool(ui.skipBox.checked),
                device=device,
            )
        )

    def _show_rules(self) -> None:
        """Open the window of the rules for the chosen model, in place of the one of another."""
        model = self._chosen()[0]
        if self.rules_view is not None:
            self.rules_view.close()
        title = _("Channels of '{model}'").format(model=self.ui.applyModelBox.currentText)
        view = ChannelRulesView(title, lambda rules: self._rules.save(model, rules, view.show, view.tell))
        self.rules_view = view
        self._rules.ask(model, view.show)

    def _chosen(self) -> tuple[str, str]:
        device = choice_box.chosen_key(self.ui.applyDeviceBox) or USUAL_DEVICE  # until they are known
        return choice_box.chosen_key(self.ui.applyModelBox), device

    def _show(self) -> None:
        ui, models = self.ui, self._models.segmenting
        ui.noModelLabel.visible = not models
        ui.applyFrame.visible = bool(models)
        # Whoever had the newest model chosen wants the one that is newest now.
        newest = ui.applyModelBox.currentIndex <= 0
        choice_box.offer(ui.applyModelBox, models)
        if newest and models:
            ui.applyModelBox.currentIndex = 0
        choice_box.offer(ui.applyDeviceBox, self._offers.devices, USUAL_DEVICE)
        choice_box.offer(ui.formatBox, self._offers.formats)
        ui.channelRulesLabel.visible = ui.channelRulesButton.visible = self._rules.needed
        ui.volumeBusyLabel.text = self.volume.busy
        ui.volumeBusyLabel.visible = bool(self.volume.busy)
        ui.volumeOutcomeLabel.text = self.volume.outcome
        ui.volumeOutcomeLabel.visible = bool(self.volume.outcome)
        self._show_folder()
        self._allow()

    def _allow(self) -> None:
        ui, track = self.ui, self.folder.track
        running = track is not None and not track.over
        chosen = bool(ui.scansEdit.currentPath and ui.outputEdit.currentPath and ui.formatBox.count)
        ui.segmentVolumeButton.enabled = ui.volumeSelector.currentNode() is not None and not self.volume.busy
        ui.cancelVolumeButton.enabled = bool(self.volume.busy)
        ui.segmentFolderButton.enabled = chosen and not running and not self.folder.busy
        ui.cancelFolderButton.enabled = running
        ui.reportButton.enabled = bool(self.folder.report)

    def _show_folder(self) -> None:
        ui, track = self.ui, self.folder.track
        busy = self.folder.busy
        ui.folderStateLabel.visible = track is not None or bool(busy)
        ui.folderBar.visible = track is not None and not track.over
        rows = [_row(event) for event in self.folder.rows]
        table_rows.show(ui.rowsTable, rows)
        table_rows.fit_height(ui.rowsTable, _ROWS)
        ui.rowsTable.visible = bool(rows)
        self._show_note()
        if track is not None:
            ui.folderBar.value = round(1000 * track.fraction)
            ui.folderStateLabel.text = busy or folder_sentence(track, self.folder.rows)
        else:
            ui.folderStateLabel.text = busy

    def _show_note(self) -> None:
        """Say why the selected scan failed, or what is notable about it."""
        keys = table_rows.chosen_keys(self.ui.rowsTable)
        notes = [event.note for event in self.folder.rows if event.name in keys and event.note]
        self.ui.rowNoteLabel.text = " ".join(notes)
        self.ui.rowNoteLabel.visible = bool(notes)


def folder_sentence(track: Track, rows: Sequence[Event]) -> str:
    """Say in a line how a folder goes or went, with what became of its scans."""
    if not track.over:
        left = f", {_('{time} left').format(time=track.left)}" if track.left else ""
        return f"{track.doing}{left}"
    if track.state != "finished":
        return f"{track.doing}. {track.job.error} {track.job.remedy}".strip()
    counts = {state: sum(event.state == state for event in rows) for state in _STATES}
    told = [f"{count} {_(_STATES[state])}" for state, count in counts.items() if count]
    text = _("Finished: {counts}.").format(counts=", ".join(told))
    noted = sum(_has_note(event) for event in rows)
    if not noted:
        return text
    more = plural(
        noted, _("One has a note: select it to read it."), _("{count} have notes: select one to read it.")
    )
    return f"{text} {more.format(count=noted)}"


def _has_note(event: Event) -> bool:
    """Whether there is more to know about a scan that was segmented, such as that voxels were replaced."""
    return event.state in _SEGMENTED and bool(event.note)


def _row(event: Event) -> table_rows.Row:
    volumes = " / ".join(f"{volume:.1f}" for volume in event.volumes_ml.values())
    names = ", ".join(f"{name} {volume:.2f} ml" for name, volume in event.volumes_ml.items())
    score = "" if event.uncertainty is None else f"{event.uncertainty:.2f}"
    state = _(_STATES.get(event.state, event.state))
    if _has_note(event):
        state = _("{state}, with a note").format(state=state)
    tip = "\n".join(filter(None, (event.note, names)))
    return table_rows.Row(event.name, (event.name, state, volumes, score), tip)
