"""Annotating: which case is on the screen, what is drawn on it, and that none of it is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.annotate_saving import Drawing, OpenedCase, fetch_case, sender
from MedSSLLib.case_scene import CaseScene
from MedSSLLib.drawing_safety import Safety
from MedSSLLib.problems import Problem
from MedSSLLib.scene_labels import find_values, is_empty
from MedSSLLib.segmentations import SegmentationSnapshot, labels_of, snapshot_segmentation
from MedSSLLib.signals import Signal
from MedSSLLib.slice_marks import SliceMarks, marks_of
from MedSSLLib.stopwatch import Stopwatch

if TYPE_CHECKING:
    from medssl.client import Annotation, Case, CaseSummary, Project, Suggestion

    from MedSSLLib.session import Session

_SAVE, _DISCARD, _STAY = range(3)
_OF_REVIEW = "proposed"  # the state of cases that the section Review opens


class AnnotateLogic:
    """Opens one case after the other and saves what is drawn.

    Attributes:
        changed: something to show changed.
        shown: another case is on the screen, or none.
        touched: whether something was drawn, or marked, since the case was opened or saved.
        busy: what is waited for; empty when nothing is.
        suggestion: what the engine says about the next case; None until it was asked.
        marks: which slices are done; None without a case.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.shown = Signal()
        self.touched = False
        self.busy = ""
        self.suggestion: Optional[Suggestion] = None
        self.marks: Optional[SliceMarks] = None
        self._session = session
        self._project: Optional[Project] = session.project
        self._case: Optional[Case] = None
        self._scene: Optional[CaseScene] = None
        self._watch = Stopwatch()
        self._safety = Safety(session)
        self._connections: list[tuple[Signal, Callable[..., Any]]] = [
            (session.case_asked, self._open_asked),
            (session.cases_changed, self._suggest),
            (session.project_changed, self._follow),
            (session.engine_changed, self._suggest),
        ]
        for signal, call in self._connections:
            signal.connect(call)
        self._suggest()

    @property
    def case(self) -> Optional[Case]:
        """The case on the screen."""
        return self._case

    @property
    def scene(self) -> Optional[CaseScene]:
        """Its nodes."""
        return self._scene

    def enter(self) -> None:
        """The panel is open: the time that passes is spent on the case."""
        if self._case is not None:
            self._watch.start()

    def exit(self) -> None:
        """The person does something else."""
        self._watch.stop()

    def close(self) -> None:
        """Keep what was drawn, and take the case off the screen."""
        self._rescue()
        self._clear()
        for signal, call in self._connections:
            signal.disconnect(call)

    def next(self) -> None:
        """Open the case that the engine suggests."""
        if self.suggestion is not None and self.suggestion.case is not None:
            self._open_or_review(self.suggestion.case)

    def open(self, case: int) -> None:
        """Show a case, after what was drawn on another one is kept."""
        if self._case is None or case != self._case.id:
            self._leave(lambda: self._load(case))

    def leave(self) -> None:
        """Take the case off the screen."""
        self._leave(self._clear)

    def save(self, then: Callable[[], Any] = lambda: None) -> None:
        """Save what is drawn as the next version; the case stays on the screen.

        Args:
            then: called when it is saved.
        """
        scene, project, marks = self._scene, self._project, self.marks
        if scene is None or project is None or marks is None or self.busy:
            return
        try:
            drawn = snapshot_segmentation(scene.segmentation, scene.volume)
            marks.check()
        except Problem as problem:
            self._session.report(problem)
            return
        find_values(self._session, project, drawn, lambda values: self._send(drawn, values, then))

    def touch(self) -> None:
        """Something was drawn, or marked."""
        if not self.touched:
            self.touched = True
            self.changed.emit()

    def mark_drawn_slices(self) -> None:
        """Say that every slice with something on it is done."""
        scene, marks = self._scene, self.marks
        if scene is None or marks is None:
            return
        try:
            drawn = snapshot_segmentation(scene.segmentation, scene.volume)
        except Problem as problem:
            self._session.report(problem)
            return
        values = {each.id: 1 for each in drawn.segments}

        def mark(labels: Any) -> None:
            if marks is self.marks:
                marks.mark_drawn(labels)
                self.touch()
                self.changed.emit()

        self._session.background.run(lambda: labels_of(drawn, values), mark, self._session.report)

    def _open_asked(self, case: CaseSummary) -> None:
        if case.state != _OF_REVIEW:
            self.open(case.id)

    def _open_or_review(self, case: CaseSummary) -> None:
        if case.state == _OF_REVIEW:
            self._session.case_asked.emit(case)
        else:
            self.open(case.id)

    def _load(self, case: int) -> None:
        project, files = self._project, self._session.files
        if project is None:
            return
        self._wait(_("Loading the scan..."))
        self._session.ask(lambda client: fetch_case(client, files, project, case), self._show, self._fail)

    def _show(self, opened: OpenedCase) -> None:
        self._wait("")
        project = self._project
        if project is None:
            return
        self._clear()
        name = _("{case} annotation").format(case=opened.case.name)
        hidden = None if opened.labels is None else opened.labels.unannotated
        self._case = opened.case
        self.marks = marks_of(opened.scans[0].grid.shape, hidden)
        self._scene = CaseScene(
            project.key, opened.case, opened.scans, opened.labels, project.segments, name,
            self.touch, self._lose_scene,
        )  # fmt: skip
        self._scene.show()
        self._scene.fit()
        self._watch.reset()
        self._watch.start()
        self.shown.emit()
        self.changed.emit()

    def _clear(self) -> None:
        self._watch.stop()
        self.touched = False
        self._case = self.marks = None
        scene, self._scene = self._scene, None
        if scene is not None:
            self.shown.emit()  # the editor lets go first
            scene.remove()
        self.changed.emit()

    def _send(self, drawn: SegmentationSnapshot, values: Mapping[str, int], then: Callable[[], Any]) -> None:
        case, project, marks = self._case, self._session.project, self.marks
        if case is None or project is None or marks is None:
            return
        drawing = Drawing(case, drawn, values, drawn.grid, marks.copy(), self._watch.seconds)
        send, files = sender(project, drawing), self._session.files
        self._wait(_("Saving {name}...").format(name=case.name))

        def saved(annotation: Optional[Annotation]) -> None:
            self._wait("")
            self._watch.reset()
            version = 0 if annotation is None else annotation.version
            text = _("{name} is saved, as version {version}.").format(name=case.name, version=version)
            self._session.say(text)
            then()
            self._session.cases_changed.emit()

        def failed(error: Exception) -> None:
            self.touched = self.touched or self._case is case
            self._fail(error)

        def go_on(empty: bool) -> None:
            if empty and not self._may_be_empty(case):
                self._wait("")
                return
            self.touched = False  # what is drawn while it is saved counts as new
            self._session.ask(lambda client: send(client, files), saved, failed)

        self._session.background.run(lambda: is_empty(drawn, values), go_on, failed)

    def _may_be_empty(self, case: Case) -> bool:
        answer = asking.choose(
            _("Nothing is drawn"),
            _("Nothing is drawn on {name}. Does it really show none of the segments?").format(name=case.name),
            (_("It shows none: save"), _("Cancel")),
            while_testing=1,
        )
        if answer != 0:
            text = _("{name} was not saved: nothing is drawn on it.").format(name=case.name)
            self._session.say(text, "", "warning")
        return answer == 0

    def _leave(self, then: Callable[[], Any]) -> None:
        """Do something that takes the case off the screen, after asking about what was drawn on it."""
        if self.busy:
            return
        if not self.touched or self._case is None:
            then()
            return
        question = _("What you drew on {name} is not saved. Save it?").format(name=self._case.name)
        answer = asking.choose(
            _("Unsaved annotation"), question, (_("Save"), _("Discard"), _("Stay")), while_testing=_SAVE
        )
        if answer == _SAVE:
            self.save(then)
        elif answer == _DISCARD:
            self.touched = False
            then()

    def _lose_scene(self) -> None:
        """The person closes the scene or removes the volume: the last moment to keep what was drawn."""
        name = "" if self._case is None else self._case.name
        kept = self._rescue()
        scene, self._scene = self._scene, None
        if scene is not None:
            scene.forget()
        self._clear()
        self.shown.emit()
        if name and not kept:
            self._session.say(_("{name} was closed, because it left the scene.").format(name=name))

    def _rescue(self) -> bool:
        """Save what was drawn, if the person wants it, when its nodes cannot stay; whether it is saved."""
        scene, case, project = self._scene, self._case, self._project
        if not self.touched or scene is None or case is None or project is None or self.marks is None:
            return False
        question = _("What you drew on {name} is not saved. Save it?").format(name=case.name)
        if asking.choose(_("Unsaved annotation"), question, (_("Save"), _("Discard")), _SAVE) != _SAVE:
            return False
        try:
            drawn = snapshot_segmentation(scene.segmentation, scene.volume)
        except Problem as problem:
            self._session.report(problem)
            return False
        marks, seconds = self.marks.copy(), self._watch.seconds

        def keep(values: Mapping[str, int]) -> None:
            drawing = Drawing(case, drawn, values, drawn.grid, marks, seconds)
            self._safety.save(case.name, sender(project, drawing))

        find_values(self._session, project, drawn, keep)
        return True

    def _follow(self) -> None:
        project = self._session.project
        if (project and project.key) != (self._project and self._project.key):
            self._rescue()
            self._clear()
            self.suggestion = None
        self._project = project
        self._suggest()

    def _suggest(self) -> None:
        """Ask which case is the one to annotate next."""
        project = self._session.project
        if project is None or self._session.client is None:
            return
        key = project.key

        def suggested(answer: Suggestion) -> None:
            if self._project is not None and self._project.key == key:
                self.suggestion = answer
                self.changed.emit()

        self._session.ask(lambda client: client.suggestion(key), suggested, lambda _error: None)

    def _wait(self, sentence: str) -> None:
        self.busy = sentence
        self.changed.emit()

    def _fail(self, error: Exception) -> None:
        self._wait("")
        self._session.report(error)
