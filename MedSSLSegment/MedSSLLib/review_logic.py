"""The review of proposals: which case is on the screen, what became of it, what comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

import qt
from slicer.i18n import tr as _

from MedSSLLib import asking, review_saving
from MedSSLLib.drawing_safety import Safety
from MedSSLLib.problems import Problem
from MedSSLLib.review_queue import ReviewQueue, fetch_queue
from MedSSLLib.review_saving import Verdict
from MedSSLLib.review_scene import Proposal, ReviewScene, fetch_proposal
from MedSSLLib.review_tour import Tour
from MedSSLLib.segmentations import snapshot_segmentation
from MedSSLLib.signals import Signal
from MedSSLLib.stopwatch import Stopwatch

if TYPE_CHECKING:
    from medssl.client import Annotation, Case, CaseSummary, Client, Project

    from MedSSLLib.session import Session

_SAVE, _DISCARD, _STAY = range(3)


class ReviewLogic:
    """Shows one proposal after the other and keeps what the person decides and draws.

    Attributes:
        changed: the queue, or what it waits for, changed.
        shown: another case is on the screen, or none.
        touched_changed: the person began to change the proposal, or that was saved.
        touched: whether the proposal on the screen was changed.
        busy: what is waited for; empty when nothing is.
        tour: through the uncertain places of the case on the screen.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.shown = Signal()
        self.touched_changed = Signal()
        self.queue = ReviewQueue()
        self.touched = False
        self.busy = ""
        self.tour: Optional[Tour] = None
        self._session = session
        self._project: Optional[Project] = session.project
        self._scene: Optional[ReviewScene] = None
        self._case: Optional[Case] = None
        self._next: Optional[Proposal] = None
        self._decided: list[int] = []
        self._watch = Stopwatch()
        self._safety = Safety(session)
        for signal in (session.cases_changed, session.models_changed):
            signal.connect(self.refresh)
        session.engine_changed.connect(self.refresh)
        session.project_changed.connect(self._follow)
        session.case_asked.connect(self._open_asked)
        session.training.changed.connect(self.changed.emit)
        session.jobs.listed.connect(self.changed.emit)
        session.jobs.told.connect(lambda track: self.changed.emit())
        self.refresh()

    @property
    def case(self) -> Optional[Case]:
        """The case on the screen."""
        return self._case

    @property
    def scene(self) -> Optional[ReviewScene]:
        """Its nodes."""
        return self._scene

    @property
    def seconds(self) -> float:
        """How long the person has looked at it."""
        return self._watch.seconds

    @property
    def can_undo(self) -> bool:
        """Whether a decision was made here that can be taken back."""
        return bool(self._decided)

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

    def refresh(self) -> None:
        """Ask the engine what waits."""
        project = self._session.project
        if project is None or self._session.client is None:
            return
        key = project.key

        def take(queue: ReviewQueue) -> None:
            if self._project is not None and self._project.key == key:
                self.queue = queue
                self._preload()
                self.changed.emit()

        self._session.ask(lambda client: fetch_queue(client, key), take, lambda error: None)

    def open(self, case: int) -> None:
        """Show a case, after what was drawn on another one is kept."""
        if self._case is None or case != self._case.id:
            self._leave(lambda: self._load(case))

    def next(self) -> None:
        """Show the next case of the queue, without a decision about this one."""
        case = self.queue.after(None if self._case is None else self._case.id)
        if case is not None:
            self.open(case)

    def accept(self) -> None:
        """Keep the proposal as it is on the screen, corrected or not, and show the next."""
        self._save(self._go_on)

    def reject(self) -> None:
        """Turn the proposal down, and show the next."""
        project, case = self._project, self._case
        if project is None or case is None or case.pseudo_label is None or self.busy:
            return
        if self.touched and not self._sure(_("Reject the proposal, and lose what you changed in it?")):
            return
        proposal, seconds = case.pseudo_label.id, self.seconds
        author = review_saving.author_name()
        self._wait(_("Rejecting {name}...").format(name=case.name))
        self._session.ask(
            lambda client: client.reject(project.key, case.id, proposal, author=author, seconds=seconds),
            lambda rejected: self._decide(case, self._go_on),
            self._fail,
        )

    def undo(self) -> None:
        """Take the last decision back, and show its case again."""
        if self._decided and not self.busy:
            self._leave(self._undo)

    def propose(self) -> None:
        """Let the newest model propose for all cases that nobody annotated."""
        self._session.jobs.submit({"kind": "propose", "model": "latest"})

    @property
    def refining(self) -> str:
        """How `refine` goes on: its method and effort; empty while nobody knows."""
        found = self._session.training.refinement
        return "" if found is None else found.sentence

    def refine(self) -> None:
        """Go on training the newest model with what was decided, and let it propose again."""
        self._leave(lambda: self._session.training.refine())

    def _load(self, case: int) -> None:
        """Read a case, unless it was read while the person looked at another, and show it."""
        project = self._project
        if project is None:
            return
        if self._next is not None and self._next.case.id == case:
            self._show(self._next)
            return
        name = next((each.name for each in self.queue.waiting if each.id == case), "")
        self._wait(_("Loading {name}...").format(name=name))
        self._session.ask(self._fetch(project, case), self._show, self._fail)

    def _fetch(self, project: Project, case: int) -> Callable[[Client], Proposal]:
        files = self._session.files

        def fetch(client: Client) -> Proposal:
            found = client.case(project.key, case)
            return fetch_proposal(client, files, project.key, found)

        return fetch

    def _show(self, proposal: Proposal) -> None:
        self._wait("")
        project = self._project
        if project is None:
            return
        self._clear()
        self._next = None
        self._case = proposal.case
        self._scene = ReviewScene(project.key, proposal, project.segments, self._touch, self._lose_scene)
        self._watch.reset()
        self._watch.start()
        assert proposal.case.pseudo_label is not None
        self.tour = Tour(proposal.case.pseudo_label, self._scene)
        self.tour.show_worst_slice()
        self.shown.emit()
        self.changed.emit()
        self._preload()

    def _preload(self) -> None:
        """Read the next case while the person looks at this one."""
        project = self._project
        following = None if self._case is None else self.queue.after(self._case.id)
        if project is None or following is None or (self._next and self._next.case.id == following):
            return

        def keep(proposal: Proposal) -> None:
            if self._case is not None and self.queue.after(self._case.id) == proposal.case.id:
                self._next = proposal

        self._session.ask(self._fetch(project, following), keep, lambda error: None)

    def _clear(self) -> None:
        """Take the case off the screen."""
        self._watch.stop()
        self._set_touched(False)
        self._case = self.tour = None
        scene, self._scene = self._scene, None
        if scene is not None:
            self.shown.emit()  # the editor lets go first
            scene.remove()

    def _touch(self) -> None:
        self._set_touched(True)

    def _set_touched(self, touched: bool) -> None:
        if touched != self.touched:
            self.touched = touched
            self.touched_changed.emit()

    def _verdict(self) -> Optional[Verdict]:
        """What is on the screen, as it is at this moment."""
        scene, case, project = self._scene, self._case, self._project
        if scene is None or case is None or project is None:
            return None
        if not self.touched:
            return Verdict(case, None, self.seconds)
        drawn = snapshot_segmentation(scene.segmentation, scene.volume)
        return Verdict(case, drawn, self.seconds)

    def _save(self, then: Callable[[], Any]) -> None:
        """Save what is on the screen; it stays there until that worked."""
        project = self._project
        if self.busy or project is None:
            return
        try:
            verdict = self._verdict()
            if verdict is None:
                return
            if verdict.drawn is not None:
                review_saving.check(verdict.drawn, project)
        except Problem as problem:
            self._session.report(problem)
            return
        files, case, kept = self._session.files, verdict.case, verdict
        self._wait(_("Saving {name}...").format(name=case.name))

        def saved(annotation: Annotation) -> None:
            self._decide(case, then)

        self._session.ask(lambda client: review_saving.send(client, files, project, kept), saved, self._fail)

    def _decide(self, case: Case, then: Callable[[], Any]) -> None:
        self._wait("")
        self._decided.append(case.id)
        self._set_touched(False)
        then()
        self._session.cases_changed.emit()

    def _go_on(self) -> None:
        """Show the case after the one that was decided."""
        done = self._case
        following = None if done is None else self.queue.after(done.id)
        if done is not None:
            waiting = tuple(each for each in self.queue.waiting if each.id != done.id)
            self.queue = ReviewQueue(waiting, self.queue.model, self.queue.learned, self.queue.unproposed)
        if following is None:
            self._clear()
            self.changed.emit()
        else:
            self._load(following)

    def _undo(self) -> None:
        project = self._project
        if project is None or not self._decided:
            return
        case = self._decided[-1]

        def undone(found: Case) -> None:
            self._wait("")
            self._decided.pop()
            self._clear()
            self._next = None
            self._session.cases_changed.emit()
            if found.state == "proposed":
                self._load(case)

        self._wait(_("Taking the last decision back..."))
        self._session.ask(lambda client: client.undo(project.key, case), undone, self._fail)

    def _leave(self, then: Callable[[], Any]) -> None:
        """Do something that takes the case off the screen, after asking about what was drawn on it."""
        if self.busy:
            return
        if not self.touched or self._case is None:
            then()
            return
        answer = asking.choose(
            _("Unsaved correction"),
            _("You changed the proposal for {name}. Save it as a correction?").format(name=self._case.name),
            [_("Save"), _("Discard"), _("Stay")],
            while_testing=_SAVE,
        )
        if answer == _SAVE:
            self._save(then)
        elif answer == _DISCARD:
            self._set_touched(False)
            then()

    def _sure(self, question: str) -> bool:
        return asking.choose(_("Review"), question, [_("Yes"), _("No")], while_testing=0) == 0

    def _lose_scene(self) -> None:
        """The person closes the scene or removes the volume: the last moment to keep what was drawn."""
        name = "" if self._case is None else self._case.name
        kept = self._rescue()
        scene, self._scene = self._scene, None
        self._clear()
        self.shown.emit()
        if scene is not None:
            scene.forget()
            qt.QTimer.singleShot(0, scene.remove)  # its other nodes, after the one that is going
        if not kept:
            self._session.say(_("{name} left the scene; nothing was decided about it.").format(name=name))
        self.changed.emit()

    def _rescue(self) -> bool:
        """Save what was drawn, if the person wants it, when its nodes cannot stay; whether it is saved."""
        project, case = self._project, self._case
        if not self.touched or project is None or case is None:
            return False
        try:
            verdict = self._verdict()
        except Problem as problem:
            self._session.report(problem)
            return False
        question = _("You changed the proposal for {name}. Save it as a correction?").format(name=case.name)
        answers = [_("Save"), _("Discard")]
        if verdict is None or asking.choose(_("Unsaved correction"), question, answers, _SAVE) != _SAVE:
            return False
        kept = verdict
        self._safety.save(case.name, lambda client, files: review_saving.send(client, files, project, kept))
        return True

    def _follow(self) -> None:
        project = self._session.project
        if (project and project.key) != (self._project and self._project.key):
            self._rescue()
            self._clear()
            self._next = None
            self._decided.clear()
            self.queue = ReviewQueue()
            self.changed.emit()
        self._project = project
        self.refresh()

    def _open_asked(self, case: CaseSummary) -> None:
        if self.queue.place(case.id) >= 0:
            self.open(case.id)

    def _wait(self, sentence: str) -> None:
        self.busy = sentence
        self.changed.emit()

    def _fail(self, error: Exception) -> None:
        self._wait("")
        self._session.report(error)
        self.refresh()
