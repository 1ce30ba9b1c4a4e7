"""The section Review: the queue, the decisions and their keys, where to look, and the editor."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib import table_rows
from MedSSLLib.channel_box import ChannelBox
from MedSSLLib.plurals import plural
from MedSSLLib.review_logic import ReviewLogic
from MedSSLLib.review_queue import ENOUGH, ReviewQueue
from MedSSLLib.sections import load_ui
from MedSSLLib.shortcuts import Shortcuts
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from MedSSLLib.case_desk import Desk
    from MedSSLLib.jobs_track import Track
    from MedSSLLib.review_scene import ReviewScene
    from MedSSLLib.review_tour import Tour
    from MedSSLLib.session import Session

_ROWS = 6  # of the queue, also while fewer wait: what lies below it must not move under the mouse
_NAME = "review"


class Review(Protocol):
    """What the section needs; `MedSSLLib.review_logic.ReviewLogic` has it."""

    desk: Desk
    queue: ReviewQueue
    scene: Optional[ReviewScene]
    tour: Optional[Tour]

    @property
    def can_undo(self) -> bool:
        """Whether a decision can be taken back."""

    def close(self) -> None:
        """Keep what was drawn."""

    def open(self, case: int) -> None:
        """Show a case."""

    def next(self) -> None:
        """Show the next case."""

    def accept(self) -> None:
        """Keep what is on the screen."""

    def reject(self) -> None:
        """Turn the proposal down."""

    def undo(self) -> None:
        """Take the last decision back."""

    def propose(self) -> None:
        """Let the newest model propose."""

    @property
    def refining(self) -> str:
        """How `refine` goes on, in words."""

    def refine(self) -> None:
        """Go on training with what was decided."""


class Editor(Protocol):
    """The panel's one Segment Editor; `MedSSLLib.editor.SegmentEditor`."""

    section: str
    moved: Signal

    def take(self, section: str, layout: Any, segmentation: Any, volume: Any) -> None:
        """Edit a segmentation in a section."""

    def look_at(self, volume: Any) -> None:
        """Draw on another volume."""

    def release(self) -> None:
        """Edit nothing any more."""


class Jobs(Protocol):
    """What the section wants to know about jobs; `MedSSLLib.jobs_logic.JobsLogic`."""

    @property
    def active(self) -> tuple[Track, ...]:
        """The jobs that run or wait."""


def build(session: Session) -> ReviewView:
    """Make the section."""
    return ReviewView(ReviewLogic(session), session.editor, session.jobs)


class ReviewView:
    """Shows the logic of the section Review and passes clicks and keys on."""

    def __init__(self, logic: Review, editor: Editor, jobs: Jobs) -> None:
        self.logic = logic
        self._desk = logic.desk
        self._editor = editor
        self._jobs = jobs
        self.widget, self.ui = load_ui("Review")
        table_rows.prepare(self.ui.queueTable, [_("Scan"), _("Uncertainty")], stretched=(0,), right=(1,))
        told = _("The part of the proposal that the model expects to have wrong, 0 to 1")
        self.ui.queueTable.horizontalHeaderItem(1).setToolTip(told)
        self.keys = Shortcuts()
        self._connect_buttons()
        for keys, button in self._keyed().items():
            self.keys.add(keys, button.click)
        self._desk.changed.connect(self._show)
        self._desk.shown.connect(self._show_case)
        editor.moved.connect(self._allow)
        self._channels = ChannelBox(
            _NAME, self.ui.reviewChannelFrame, self.ui.reviewChannelBox, self._desk, editor
        )
        self._show_case()

    def enter(self) -> None:
        """The person comes to the module."""
        self._desk.enter()
        self.keys.enter()
        self._show()

    def exit(self) -> None:
        """The person goes to another module."""
        self._desk.exit()
        self.keys.exit()

    def close(self) -> None:
        """The module goes."""
        self.logic.close()
        self._editor.moved.disconnect(self._allow)
        self._desk.changed.disconnect(self._show)  # a decision on its way may be answered yet
        self.keys.close()

    def _keyed(self) -> dict[str, Any]:
        ui = self.ui
        return {"A": ui.acceptButton, "R": ui.rejectButton, "N": ui.nextButton, "Ctrl+Z": ui.undoButton}

    def _connect_buttons(self) -> None:
        logic, ui = self.logic, self.ui
        ui.acceptButton.clicked.connect(lambda *_: logic.accept())
        ui.rejectButton.clicked.connect(lambda *_: logic.reject())
        ui.nextButton.clicked.connect(lambda *_: logic.next())
        ui.undoButton.clicked.connect(lambda *_: logic.undo())
        ui.correctButton.toggled.connect(lambda *_: self._edit())
        ui.worstSliceButton.clicked.connect(lambda *_: self._look(0))
        ui.nextPlaceButton.clicked.connect(lambda *_: self._look(1))
        ui.previousPlaceButton.clicked.connect(lambda *_: self._look(-1))
        ui.heatMapBox.toggled.connect(lambda *_: self._show_heat_map())
        ui.heatMapSlider.valueChanged.connect(lambda *_: self._fade_heat_map())
        ui.proposeButton.clicked.connect(lambda *_: logic.propose())
        ui.refineButton.clicked.connect(lambda *_: logic.refine())
        ui.queueTable.cellDoubleClicked.connect(lambda row, *_: self._open(row))

    def _open(self, row: int) -> None:
        key = table_rows.key_at(self.ui.queueTable, row)
        if key:
            self.logic.open(int(key))

    def _look(self, step: int) -> None:
        tour = self.logic.tour
        if tour is not None:
            tour.step(step) if step else tour.show_worst_slice()
            self._show()

    def _edit(self) -> None:
        """Open the editor on the proposal, or close it; what was drawn stays."""
        scene, editing = self.logic.scene, bool(self.ui.correctButton.checked)
        if editing and scene is not None:
            self._editor.take(_NAME, self.ui.editorFrame.layout(), scene.segmentation, scene.volume)
        elif self._editor.section == _NAME and not self._desk.settle_preview():
            self.ui.correctButton.checked = True
        elif self._editor.section == _NAME:
            self._editor.release()
        self._show()

    def _show_heat_map(self) -> None:
        scene = self.logic.scene
        self.ui.heatMapSlider.enabled = self.ui.heatMapBox.checked
        if scene is not None:
            scene.show_heat_map(bool(self.ui.heatMapBox.checked), self.ui.heatMapSlider.value / 100)

    def _fade_heat_map(self) -> None:
        scene = self.logic.scene
        if scene is not None:
            scene.fade_heat_map(self.ui.heatMapSlider.value / 100)

    def _show_case(self) -> None:
        """Another case is on the screen, or none."""
        self.ui.correctButton.checked = False
        if self._editor.section == _NAME:
            self._editor.release()
        self._show_heat_map()
        self._show()

    def _show(self) -> None:
        case, queue, ui = self._desk.case, self.logic.queue, self.ui
        rows = [
            table_rows.Row(str(each.id), (each.name, "" if each.score is None else f"{each.score:.2f}"))
            for each in queue.waiting
        ]
        table_rows.show(ui.queueTable, rows)
        table_rows.fit_height(ui.queueTable, _ROWS, _ROWS)
        table_rows.choose(ui.queueTable, [] if case is None else [str(case.id)])
        ui.queueTable.visible = bool(rows)
        ui.queueLabel.text = self._queue_sentence()
        ui.caseFrame.visible = case is not None
        # What is waited for stands in the place of the case's own line, so that nothing moves.
        ui.caseLabel.text = self._case_sentence()
        ui.busyLabel.text = self._desk.busy
        ui.busyLabel.visible = bool(self._desk.busy) and case is None
        ui.decisionFrame.visible = bool(rows) or case is not None or self.logic.can_undo
        self._show_refining()
        self._show_tour()
        self._allow()

    def _allow(self) -> None:
        ui, logic, desk = self.ui, self.logic, self._desk
        free = not desk.busy
        deciding = desk.case is not None and free
        editing = bool(ui.correctButton.checked)
        if editing and self._editor.section != _NAME:  # another section took the editor
            ui.correctButton.checked = editing = False
        # What was decided elsewhere is not decided again; what is drawn here can still be saved beside it.
        deciding = deciding and (desk.touched or not desk.news)
        ui.acceptButton.enabled = deciding
        ui.acceptButton.text = self._keyed_words(_("Save correction") if desk.touched else _("Accept"), "A")
        ui.rejectButton.enabled = deciding and not desk.news
        ui.rejectButton.text = self._keyed_words(_("Reject"), "R")
        ui.correctButton.enabled = deciding
        ui.editorFrame.visible = editing
        others = [each for each in logic.queue.waiting if desk.case is None or each.id != desk.case.id]
        ui.nextButton.enabled = free and bool(others)
        ui.nextButton.text = self._keyed_words(_("Next") if desk.case is not None else _("Begin"), "N")
        ui.undoButton.enabled = free and logic.can_undo
        for keys, button in self._keyed().items():
            self.keys.allow(keys, bool(button.enabled) and self._keys_work)

    @property
    def _keys_work(self) -> bool:
        """Not while the person draws, in whatever section: the editor and its effects have these keys too."""
        return self._editor.section == ""

    def _keyed_words(self, words: str, key: str) -> str:
        return f"{words} ({key})" if self._keys_work else words

    def _show_tour(self) -> None:
        tour = self.logic.tour
        places = 0 if tour is None else tour.places
        for button in (self.ui.nextPlaceButton, self.ui.previousPlaceButton):
            button.enabled = bool(places)
        if tour is None or not places:
            self.ui.placeLabel.text = _("No uncertain place")
        elif tour.place < 0:
            text = plural(places, _("1 uncertain place"), _("{count} uncertain places"))
            self.ui.placeLabel.text = text.format(count=places)
        else:
            self.ui.placeLabel.text = _("Place {place} of {count}").format(place=tour.place + 1, count=places)

    def _show_refining(self) -> None:
        queue, kinds = self.logic.queue, [track.job.kind for track in self._jobs.active]
        ui = self.ui
        ui.refineLabel.text = self._refine_sentence()
        ui.refineButton.enabled = queue.learned > 0 and "train" not in kinds and not self._desk.busy
        ui.refineButton.default = queue.learned >= ENOUGH
        ui.refineFrame.visible = queue.model is not None
        ui.proposeButton.visible = queue.model is not None and queue.unproposed > 0
        ui.proposeButton.enabled = "propose" not in kinds and "train" not in kinds
        text = plural(queue.unproposed, _("Propose for 1 scan"), _("Propose for {count} scans"))
        ui.proposeButton.text = text.format(count=queue.unproposed)

    def _refine_sentence(self) -> str:
        training = next((track for track in self._jobs.active if track.job.kind == "train"), None)
        if training is not None:
            left = f", {training.left}" if training.left else ""
            return str(
                _("A training runs: {doing}{left}. It proposes anew when it is done.").format(
                    doing=training.doing, left=left
                )
            )
        text = _("Accepted or corrected since the last model: {count}; {enough} are enough to refine it.")
        text = text.format(count=self.logic.queue.learned, enough=ENOUGH)
        if self.logic.refining:
            text += " " + _("Refining goes on with {how}.").format(how=self.logic.refining)
        return str(text)

    def _queue_sentence(self) -> str:
        queue = self.logic.queue
        working = next((track for track in self._jobs.active if track.job.kind == "propose"), None)
        if working is not None:
            left = f", {working.left}" if working.left else ""
            return str(
                _("New proposals are being made: {doing}{left}").format(doing=working.doing, left=left)
            )
        if queue.waiting:
            text = plural(
                len(queue.waiting),
                _("1 proposal waits."),
                _("{count} proposals wait, the most uncertain first."),
            )
            return text.format(count=len(queue.waiting))
        if queue.model is None:
            return str(_("Train a model first; its proposals are reviewed here."))
        if queue.unproposed:
            return str(_("No proposal waits for a decision."))
        if queue.rejected:
            return str(
                _(
                    "Every proposal is decided. Draw the rejected scans, {count}, in the section Annotate."
                ).format(count=queue.rejected)
            )
        return str(_("Every scan is annotated. The section Apply segments new ones."))

    def _case_sentence(self) -> str:
        case = self._desk.case
        if self._desk.busy:
            return f"<span>{html.escape(self._desk.busy)}</span>"
        if case is None or case.pseudo_label is None:
            return ""
        if self._desk.news:
            return html.escape(self._desk.news)
        text = _("<b>{name}</b> · uncertainty {score:.2f}").format(
            name=html.escape(case.name), score=case.pseudo_label.score
        )
        return f"{text} · {_('changed')}" if self._desk.touched else str(text)
