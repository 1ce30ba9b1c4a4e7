"""Annotating: which case comes next, which of its slices are done, and saving what is drawn on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib.annotate_case import OpenedCase, fetch_case
from MedSSLLib.case_desk import Desk
from MedSSLLib.case_scene import CaseScene
from MedSSLLib.drawings import Drawing, facts_of, further, send, with_new_segments, with_values
from MedSSLLib.meantime import Overtaken
from MedSSLLib.problems import Problem
from MedSSLLib.review_queue import WAITS
from MedSSLLib.scene_labels import find_values, may_be_empty
from MedSSLLib.segmentations import SegmentationSnapshot, is_empty, labels_of
from MedSSLLib.signals import Signal
from MedSSLLib.slice_marks import SliceMarks

if TYPE_CHECKING:
    from medssl.client import Annotation, Case, CaseSummary, Client, Project, Suggestion

    from MedSSLLib.session import Session


class AnnotateLogic:
    """Opens one case after the other and saves what is drawn.

    Attributes:
        desk: the case on the screen.
        suggestion: what the engine says about the next case; None until it was asked.
        marks: which slices are done; None without a case.
    """

    def __init__(self, session: Session) -> None:
        self.suggestion: Optional[Suggestion] = None
        self.marks: Optional[SliceMarks] = None
        self._session = session
        self.desk = Desk(session, self)
        self._connections: list[tuple[Signal, Callable[..., Any]]] = [
            (session.case_asked, self._open_asked),
            (session.cases_changed, self._suggest),
            (session.engine_changed, self._suggest),
        ]
        for signal, call in self._connections:
            signal.connect(call)
        self._suggest()

    def close(self) -> None:
        """Keep what was drawn, and take the case off the screen for good."""
        self.desk.close()
        for signal, call in self._connections:
            signal.disconnect(call)

    def next(self) -> None:
        """Open the case that the engine suggests."""
        if self.suggestion is not None and self.suggestion.case is not None:
            self._session.case_asked.emit(self.suggestion.case)

    def open(self, case: int) -> None:
        """Show a case, after what was drawn on another one is kept."""
        if self.desk.case is None or case != self.desk.case.id:
            self.desk.make_room(lambda: self._load(case))

    def leave(self) -> None:
        """Take the case off the screen."""
        self.desk.leave(self.desk.give_way)

    def save(self, then: Callable[[], Any] = lambda: None) -> None:
        """Save what is drawn as the next version; the case stays on the screen.

        Args:
            then: called when it is saved.
        """
        desk, marks = self.desk, self.marks
        if desk.case is None or desk.project is None or marks is None or desk.busy:
            return
        if not desk.settle_preview():
            return
        try:
            drawn = self._drawn()
            marks.check()
        except Problem as problem:
            self._session.report(problem)
            return
        case, project, safety = desk.case, desk.project, self._session.safety
        facts = facts_of(project, case, desk.seconds, desk.version, engine=self._session.address)
        drawing = Drawing(facts, drawn, {}, marks.copy())
        count = desk.changes.count  # what is drawn from now on counts as new

        def go_on(values: Mapping[str, int], changed: Project) -> None:
            ready = with_values(drawing, changed, values)
            if desk.case is case:
                self._send(case, ready, count, then)
            else:  # it left the screen while the project got a segment
                self._end()
                safety.save(ready)

        def stop() -> None:
            self._end()
            if desk.case is not case:
                safety.save(with_new_segments(drawing, project))

        desk.changes.send(count)
        safety.unsaved += 1  # Slicer does not end before it has arrived
        desk.wait(_("Saving {name}...").format(name=case.name))
        find_values(self._session, project, drawn, go_on, stop)

    def mark_drawn_slices(self) -> None:
        """Say that every slice with something on it is done."""
        marks = self.marks
        if marks is None:
            return
        try:
            drawn = self._drawn()
        except Problem as problem:
            self._session.report(problem)
            return
        values = {each.id: 1 for each in drawn.segments}

        def mark(labels: Any) -> None:
            if marks is self.marks:
                marks.mark_drawn(labels)
                self.desk.touch()
                self.desk.changed.emit()

        self._session.background.run(lambda: labels_of(drawn, values), mark, self._session.report)

    def question(self, case: Case) -> tuple[str, str]:
        """See `MedSSLLib.case_desk.Owner`."""
        return _("Unsaved annotation"), _("What you drew on {name} is not saved. Save it?").format(
            name=case.name
        )

    def rescue(self) -> None:
        """See `MedSSLLib.case_desk.Owner`."""
        desk = self.desk
        assert desk.case is not None
        assert desk.project is not None
        facts = facts_of(desk.project, desk.case, desk.seconds, desk.version, engine=self._session.address)
        drawing = Drawing(facts, self._drawn(), {}, None if self.marks is None else self.marks.copy())
        self._session.safety.save(with_new_segments(drawing, desk.project))

    def outdated(self) -> None:
        """See `MedSSLLib.case_desk.Owner`; while nothing is drawn on it, the newer version is shown."""
        if self.desk.case is not None and not self.desk.touched:
            self._load(self.desk.case.id)

    def cleared(self) -> None:
        """See `MedSSLLib.case_desk.Owner`."""
        self.marks = None

    def follow(self, another: bool) -> None:
        """See `MedSSLLib.case_desk.Owner`."""
        if another:
            self.suggestion = None
            self.desk.changed.emit()
        self._suggest()

    def _open_asked(self, case: CaseSummary) -> None:
        if case.state != WAITS:
            self._session.section_asked.emit("annotate")
            self.open(case.id)

    def _load(self, case: int) -> None:
        project, files = self.desk.project, self._session.files
        if project is not None:

            def fetch(client: Client) -> OpenedCase:
                return fetch_case(client, files, project, case)

            self.desk.load(_("Loading the scan..."), fetch, self._show)

    def _show(self, opened: OpenedCase) -> None:
        desk = self.desk

        def make() -> CaseScene:
            assert desk.project is not None
            self.marks = opened.marks
            name = _("{case} annotation").format(case=opened.case.name)
            scene = CaseScene(
                desk.project, opened.case, opened.scans, opened.labels, name, desk.touch, desk.lose
            )
            scene.show()
            scene.fit()
            return scene

        desk.put(opened.case, make)

    def _drawn(self) -> SegmentationSnapshot:
        assert self.desk.scene is not None
        return self.desk.scene.drawn()

    def _send(self, case: Case, drawing: Drawing, count: int, then: Callable[[], Any]) -> None:
        desk, session, name = self.desk, self._session, case.name
        files = session.files

        def saved(annotation: Annotation) -> None:
            version = annotation.version
            self._end()
            desk.saved(case, count, version)
            told = _("{name} is saved, as version {version}.").format(name=name, version=version)
            session.say_with_notes(told, annotation.notes)
            if session.is_open(drawing.facts.project):  # else `then` would open a case of another one
                then()
                session.cases_changed.emit()

        def failed(error: Exception) -> None:
            if desk.case is case and isinstance(error, Overtaken) and error.ask(_("Do not save")) == 0:
                self._send(case, replace(drawing, facts=further(drawing.facts, error)), count, then)
                return
            self._end()
            session.report(error)
            if desk.case is not case:  # it left the screen meanwhile
                session.safety.save(drawing)
            elif isinstance(error, Problem):
                session.cases_changed.emit()

        def go_on(empty: bool) -> None:
            if empty and not may_be_empty(name):
                self._end()
                text = _("{name} was not saved: nothing is drawn on it.")
                session.say(text.format(name=name), "", "warning")
                return
            session.ask(lambda client: send(client, files, drawing), saved, failed)

        session.background.run(lambda: is_empty(drawing.drawn, drawing.values), go_on, failed)

    def _end(self) -> None:
        """What was drawn is on its way no more."""
        self._session.safety.unsaved -= 1
        self.desk.wait("")
        self.desk.changes.send(0)

    def _suggest(self) -> None:
        """Ask which case is the one to annotate next."""
        project = self._session.project
        if project is None or self._session.client is None:
            return
        key = project.key

        def suggested(answer: Suggestion) -> None:
            if self._session.is_open(key):
                self.suggestion = answer
                self.desk.changed.emit()

        self._session.ask(lambda client: client.suggestion(key), suggested, lambda _error: None)
