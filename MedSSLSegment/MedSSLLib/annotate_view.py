"""The section Annotate: the next case and why, the Segment Editor, which slices are done, and saving."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib.annotate_logic import AnnotateLogic
from MedSSLLib.channel_box import ChannelBox
from MedSSLLib.plurals import plural
from MedSSLLib.problems import Problem
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal
from MedSSLLib.slice_marks import SliceMarks
from MedSSLLib.slice_strip import strip_of
from MedSSLLib.slice_view_place import SliceViewPlace

if TYPE_CHECKING:
    from medssl.client import Suggestion

    from MedSSLLib.case_desk import Desk
    from MedSSLLib.case_scene import CaseScene
    from MedSSLLib.session import Session

_NAME = "annotate"


class Annotate(Protocol):
    """What the section needs; `MedSSLLib.annotate_logic.AnnotateLogic` has it."""

    desk: Desk
    suggestion: Optional[Suggestion]
    marks: Optional[SliceMarks]

    def close(self) -> None:
        """Keep what was drawn."""

    def next(self) -> None:
        """Open the suggested case."""

    def leave(self) -> None:
        """Take the case off the screen."""

    def save(self, then: Callable[[], Any] = ...) -> None:
        """Save what is drawn."""

    def mark_drawn_slices(self) -> None:
        """Say that every slice with something on it is done."""


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


def build(session: Session) -> AnnotateView:
    """Make the section."""
    return AnnotateView(AnnotateLogic(session), session.editor)


class AnnotateView:
    """Shows the logic of the section Annotate and passes clicks on."""

    def __init__(self, logic: Annotate, editor: Editor) -> None:
        self.logic = logic
        self._desk = logic.desk
        self._editor = editor
        self._place: Optional[SliceViewPlace] = None
        self.widget, self.ui = load_ui("Annotate")
        ui = self.ui
        ui.nextCaseButton.clicked.connect(lambda *_: logic.next())
        ui.saveAnnotationButton.clicked.connect(lambda *_: logic.save())
        ui.closeCaseButton.clicked.connect(lambda *_: logic.leave())
        ui.drawButton.clicked.connect(lambda *_: self._take_editor())
        ui.partlyBox.toggled.connect(lambda *_: self._set_partly())
        ui.sliceDoneButton.clicked.connect(lambda *_: self._mark_slice())
        ui.drawnDoneButton.clicked.connect(lambda *_: logic.mark_drawn_slices())
        self._desk.changed.connect(self._show)
        self._desk.shown.connect(self._show_case)
        self._channels = ChannelBox(_NAME, ui.annotateChannelFrame, ui.annotateChannelBox, self._desk, editor)
        editor.moved.connect(self._show)
        self._show_case()

    def enter(self) -> None:
        """The person comes to the module."""
        self._desk.enter()

    def exit(self) -> None:
        """The person goes to another module."""
        self._desk.exit()

    def close(self) -> None:
        """The module goes."""
        self.logic.close()
        self._editor.moved.disconnect(self._show)
        self._watch(None)

    def _show_case(self) -> None:
        """Another case is on the screen, or none."""
        self._watch(self._desk.scene)
        if self._desk.scene is not None:
            self._take_editor()
        elif self._editor.section == _NAME:
            self._editor.release()
        self._show()

    def _take_editor(self) -> None:
        scene = self._desk.scene
        if scene is not None:
            self._editor.take(_NAME, self.ui.annotateEditorFrame.layout(), scene.segmentation, scene.volume)

    def _watch(self, watched: Optional[CaseScene]) -> None:
        if self._place is not None:
            self._place.close()
            self._place = None
        if watched is not None:
            self._place = SliceViewPlace(watched.volumes[0], self._show_slices)

    def _show(self) -> None:
        ui, case, busy = self.ui, self._desk.case, self._desk.busy
        ui.suggestionLabel.text = self._suggestion_text()
        suggestion = self.logic.suggestion
        following = None if suggestion is None else suggestion.case
        is_open = case is not None and following is not None and case.id == following.id
        ui.nextCaseButton.enabled = not busy and following is not None and not is_open
        ui.nextCaseButton.text = _("Open") if case is None else _("Next scan")
        # With a case on the screen, what is waited for stands beside the button, so that nothing moves.
        ui.annotateBusyLabel.text = busy
        ui.annotateBusyLabel.visible = bool(busy) and case is None
        ui.savedLabel.text = busy or self._saved_sentence()
        ui.annotateFrame.visible = case is not None
        if case is not None:
            changed = f" · {_('not saved yet')}" if self._desk.touched else ""
            ui.annotatedLabel.text = f"<b>{html.escape(case.name)}</b>{changed}"
        editing = self._editor.section == _NAME
        ui.annotateEditorFrame.visible = editing
        ui.drawButton.visible = not editing
        ui.saveAnnotationButton.enabled = case is not None and not busy
        ui.closeCaseButton.enabled = not busy
        self._show_slices()

    def _saved_sentence(self) -> str:
        if self._desk.touched:
            return str(_("Not saved yet."))
        version = self._desk.version
        return str(_("Version {version} is saved.").format(version=version)) if version else ""

    def _suggestion_text(self) -> str:
        suggestion = self.logic.suggestion
        if suggestion is None:
            return ""
        if suggestion.case is None:
            return html.escape(suggestion.reason)
        return f"<b>{html.escape(suggestion.case.name)}</b>: {html.escape(suggestion.reason)}"

    def _show_slices(self) -> None:
        ui, marks = self.ui, self.logic.marks
        if marks is None:
            return
        blocked = ui.partlyBox.blockSignals(True)
        ui.partlyBox.checked = marks.partly
        ui.partlyBox.blockSignals(blocked)
        ui.slicesFrame.visible = marks.partly
        ui.hiddenLabel.visible = marks.hidden is not None and not marks.partly
        if not marks.partly:
            return
        here, why_not = self._here()
        done = here is not None and here in marks.done
        ui.sliceDoneButton.enabled = here is not None
        ui.sliceDoneButton.text = _("Slice is not done") if done else _("Slice is done")
        if here is None:
            ui.sliceLabel.text = why_not
        else:
            state = _("done") if done else _("not done")
            ui.sliceLabel.text = _("Red view: slice {number} of {count}, {state}").format(
                number=here + 1, count=marks.count, state=state
            )
        ui.stripLabel.pixmap = strip_of(marks, here)
        ui.doneLabel.text = (
            plural(
                len(marks.done),
                _("1 of {count} slices is done: {ranges}. Of others, only what is drawn is learned."),
                _("{done} of {count} slices are done: {ranges}. Of others, only what is drawn is learned."),
            ).format(done=len(marks.done), count=marks.count, ranges=marks.ranges())
            if marks.done
            else _("No slice is done yet. Scroll the red view to a finished slice and mark it.")
        )

    def _here(self) -> tuple[Optional[int], str]:
        """The slice that the red view shows, along the axis of the marks, or why there is none."""
        marks = self.logic.marks
        if marks is None or self._place is None:
            return None, ""
        try:
            axis, index = self._place.look()
        except Problem as problem:
            return None, str(problem)
        if axis != marks.axis:
            if marks.done:  # turning the view must not lose them
                return None, _("The red view is turned: the slices that are done lie across another axis.")
            marks.turn(axis)
        return index, "" if index is not None else _("The red view is beside the scan.")

    def _set_partly(self) -> None:
        marks = self.logic.marks
        if marks is not None:
            marks.partly = bool(self.ui.partlyBox.checked)
            self._desk.touch()
            self._show()

    def _mark_slice(self) -> None:
        marks, (here, _why_not) = self.logic.marks, self._here()
        if marks is not None and here is not None:
            marks.mark([here], here not in marks.done)
            self._desk.touch()
            self._show()
