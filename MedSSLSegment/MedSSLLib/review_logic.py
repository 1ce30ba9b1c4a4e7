"""The review of proposals: what becomes of the one on the screen, and which comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.case_desk import Desk
from MedSSLLib.drawings import (
    Drawing,
    author_name,
    facts_of,
    further,
    send,
    with_known_segments,
    with_new_segments,
)
from MedSSLLib.meantime import Overtaken, unless_overtaken
from MedSSLLib.problems import Problem
from MedSSLLib.review_ahead import ReadAhead
from MedSSLLib.review_decisions import Decision
from MedSSLLib.review_queue import WAITS, ReviewQueue, fetch_queue
from MedSSLLib.review_scene import Proposal, ReviewScene
from MedSSLLib.review_tour import Tour
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Annotation, Case, CaseSummary, Client, Project

    from MedSSLLib.session import Session


class ReviewLogic:
    """Shows one proposal after the other and keeps what the person decides and draws.

    Attributes:
        desk: the case on the screen.
        queue: what waits.
        ahead: reads the next case while the person looks at this one.
        scene: the nodes of the case on the screen.
        tour: through its uncertain places.
    """

    def __init__(self, session: Session) -> None:
        self.queue = ReviewQueue()
        self.scene: Optional[ReviewScene] = None
        self.tour: Optional[Tour] = None
        self._session = session
        self.ahead = ReadAhead(session)
        self._decided: list[Decision] = []
        self.desk = Desk(session, self)
        tell = self.desk.changed.emit
        self._connections: list[tuple[Signal, Callable[..., Any]]] = [
            (session.cases_changed, self.refresh),
            (session.models_changed, self.refresh),
            (session.engine_changed, self.refresh),
            (session.case_asked, self._open_asked),
            (session.training.changed, tell),
            (session.jobs.listed, tell),
            (session.jobs.told, lambda _track: tell()),
        ]
        for signal, call in self._connections:
            signal.connect(call)
        self.refresh()

    @property
    def can_undo(self) -> bool:
        """Whether a decision was made here that can be taken back."""
        return bool(self._decided)

    def close(self) -> None:
        """Keep what was drawn, and take the case off the screen for good."""
        self.desk.close()
        for signal, call in self._connections:
            signal.disconnect(call)

    def refresh(self) -> None:
        """Ask the engine what waits."""
        project = self._session.project
        if project is None or self._session.client is None:
            return
        key = project.key

        def take(queue: ReviewQueue) -> None:
            if self._session.is_open(key):
                self.queue = queue
                self.ahead.follow(queue)
                self._prepare_next()
                self._renew()
                self.desk.changed.emit()

        self._session.ask(lambda client: fetch_queue(client, key), take, lambda _error: None)

    def open(self, case: int) -> None:
        """Show a case, after what was drawn on another one is kept."""
        if self.desk.case is None or case != self.desk.case.id:
            self.desk.make_room(lambda: self._load(case))

    def next(self) -> None:
        """Show the next case of the queue, without a decision about this one."""
        cases = self.queue.following(None if self.desk.case is None else self.desk.case.id)
        if cases:
            self.desk.make_room(lambda: self._load_first(cases, self._stay))

    def accept(self) -> None:
        """Keep the proposal as it is on the screen, corrected or not, and show the next."""
        self.save(self._go_on)

    def reject(self) -> None:
        """Turn the proposal down, and show the next."""
        project, case, seconds = self.desk.project, self.desk.case, self.desk.seconds
        if project is None or case is None or case.pseudo_label is None or self.desk.busy:
            return
        if self.desk.touched and not self._sure(_("Reject the proposal, and lose what you changed in it?")):
            return
        proposal, version, author = case.pseudo_label.id, self.desk.version, author_name()

        def work(client: Client) -> Case:
            def reject() -> Case:
                return client.reject(
                    project.key, case.id, proposal, author=author, seconds=seconds, seen_version=version
                )

            return unless_overtaken(client, project.key, case.id, version, proposal, reject)

        def rejected(_case: Case) -> None:
            if self.desk.case is case:
                self.desk.discard()
            # Views have the key R too, and nothing asks before it rejects.
            self._session.say(_("{name} is rejected; Undo takes that back.").format(name=case.name))
            self._decide(project, Decision(case.id, case.name, "rejected", 0), self._go_on)

        self.desk.wait(_("Rejecting {name}...").format(name=case.name))
        self._session.safety.ask(work, rejected, self._fail)

    def undo(self) -> None:
        """Take the last decision back, and show its case again."""
        if self._decided and not self.desk.busy:
            last = self._decided[-1]  # making room may add a correction, which is not the one that is meant
            self.desk.make_room(lambda: self._undo(last))

    def propose(self) -> None:
        """Let the newest model propose for all that nobody annotated."""
        self._session.jobs.submit({"kind": "propose", "model": "latest"})

    @property
    def refining(self) -> str:
        """How `refine` goes on: its method and effort; empty while nobody knows."""
        found = self._session.training.refinement
        return "" if found is None else found.sentence

    def refine(self) -> None:
        """Go on training the newest model with what was decided, and let it propose again."""
        self.desk.leave(lambda: self._session.training.refine())

    def save(self, then: Callable[[], Any]) -> None:
        """Save what is on the screen as a decision; it stays there until that worked."""
        project, case = self.desk.project, self.desk.case
        if project is None or case is None or case.pseudo_label is None or self.desk.busy:
            return
        if not self.desk.settle_preview():
            return
        count = self.desk.changes.count  # what is drawn from now on counts as new
        drawing: Optional[Drawing] = None
        if self.desk.touched:
            try:
                drawing = with_known_segments(self._snapshot(project, case), project)
            except Problem as problem:
                self._session.report(problem)
                return
        self._send(project, case, drawing, count, then)

    def _send(
        self, project: Project, case: Case, drawing: Optional[Drawing], count: int, then: Callable[[], Any]
    ) -> None:
        """Send a decision: a drawing or, without one, that the proposal is accepted as it is."""
        assert case.pseudo_label is not None
        desk, files, proposal = self.desk, self._session.files, case.pseudo_label.id
        seconds, version, author = desk.seconds, desk.version, author_name()

        def work(client: Client) -> Annotation:
            if drawing is not None:
                return send(client, files, drawing)

            def accept() -> Annotation:
                return client.accept(
                    project.key, case.id, proposal, author=author, seconds=seconds, seen_version=version
                )

            return unless_overtaken(client, project.key, case.id, version, proposal, accept)

        def failed(error: Exception) -> None:
            here = desk.case is case
            if here and drawing and isinstance(error, Overtaken) and error.ask(_("Do not save")) == 0:
                following = replace(drawing, facts=further(drawing.facts, error))
                self._send(project, case, following, count, then)
                return
            self._fail(error)
            desk.changes.send(0)
            if drawing is not None and desk.case is not case:  # it left the screen meanwhile
                self._session.safety.save(drawing)

        def saved(annotation: Annotation) -> None:
            desk.saved(case, count, annotation.version)
            made = Decision(case.id, case.name, annotation.kind, annotation.version)
            self._decide(project, made, then)

        desk.changes.send(count)
        desk.wait(_("Saving {name}...").format(name=case.name))
        self._session.safety.ask(work, saved, failed)

    def question(self, case: Case) -> tuple[str, str]:
        """See `MedSSLLib.case_desk.Owner`."""
        return _("Unsaved correction"), _(
            "You changed the proposal for {name}. Save it as a correction?"
        ).format(name=case.name)

    def rescue(self) -> None:
        """See `MedSSLLib.case_desk.Owner`."""
        project, case = self.desk.project, self.desk.case
        assert project is not None
        assert case is not None
        self._session.safety.save(with_new_segments(self._snapshot(project, case), project))

    def outdated(self) -> None:
        """See `MedSSLLib.case_desk.Owner`; the person goes on when it suits."""

    def cleared(self) -> None:
        """See `MedSSLLib.case_desk.Owner`."""
        self.scene = self.tour = None

    def follow(self, another: bool) -> None:
        """See `MedSSLLib.case_desk.Owner`."""
        if another:
            self.ahead.forget()
            self._decided.clear()
            self.queue = ReviewQueue()
            self.desk.changed.emit()
        self.refresh()

    def _snapshot(self, project: Project, case: Case) -> Drawing:
        """What is on the screen, as it is at this moment.

        Raises:
            Problem: it cannot be taken.
        """
        assert self.scene is not None
        proposal = None if case.pseudo_label is None else case.pseudo_label.id
        facts = facts_of(project, case, self.desk.seconds, self.desk.version, proposal, self._session.address)
        return Drawing(facts, self.scene.drawn(), {})

    def _load(self, case: int) -> None:
        """Read a case, unless it was read while the person looked at another, and show it."""
        project = self.desk.project
        if project is not None and not self._show_read(case):
            self.desk.load(self._loading(case), self.ahead.fetch(project, case), self._show)

    def _load_first(self, cases: Sequence[int], none: Callable[[], Any]) -> None:
        """Show the first of some cases that nobody decided about elsewhere; `none` when there is no such."""
        project = self.desk.project

        def show(proposal: Optional[Proposal]) -> None:
            if proposal is not None:
                self._show(proposal)
            else:
                none()
                self._session.cases_changed.emit()

        if project is not None and not self._show_read(cases[0]):
            self.desk.load(self._loading(cases[0]), self.ahead.fetch_first(project, cases), show)

    def _show_read(self, case: int) -> bool:
        """Show a case if it was read already; whether it was."""
        read = self.ahead.take(case)
        if read is not None:
            self._show(read)
        return read is not None

    def _loading(self, case: int) -> str:
        name = next((each.name for each in self.queue.waiting if each.id == case), "")
        return str(_("Loading {name}...").format(name=name))

    def _stay(self) -> None:
        self._session.say(_("No other proposal waits for a decision."))

    def _show(self, proposal: Proposal) -> None:
        def make() -> ReviewScene:
            assert self.desk.project is not None
            assert proposal.case.pseudo_label is not None
            self.scene = ReviewScene(self.desk.project, proposal, self.desk.touch, self.desk.lose)
            self.tour = Tour(proposal.case.pseudo_label, self.scene)
            self.tour.show_worst_slice()
            return self.scene

        self.desk.put(proposal.case, make)
        self._prepare_next()

    def _renew(self) -> None:
        """Show the newer proposal that a model made for the case on the screen; what is drawn on it stays."""
        case = self.desk.case
        if case is None or self.desk.touched or self.desk.busy or self.queue.has(case):
            return
        if self.queue.place(case.id) >= 0:
            self._session.say(_("There is a newer proposal for {name}, shown now.").format(name=case.name))
            self._load(case.id)

    def _prepare_next(self) -> None:
        """Read the next case while the person looks at this one."""
        project, following = self.desk.project, self._following
        if project is None or following is None:
            return

        def wanted(case: int) -> bool:
            return self._session.is_open(project.key) and case == self._following

        self.ahead.prepare(project, following, wanted)

    @property
    def _following(self) -> Optional[int]:
        """The case after the one on the screen."""
        case = self.desk.case
        return None if case is None else self.queue.after(case.id)

    def _decide(self, project: Project, decision: Decision, then: Callable[[], Any]) -> None:
        self.desk.wait("")
        if not self._session.is_open(project.key):  # the person went to another one meanwhile
            self._session.say(_("What you decided about {name} is saved.").format(name=decision.name))
            return
        self._decided.append(decision)
        then()
        self._session.cases_changed.emit()

    def _go_on(self) -> None:
        """Show the case after the one that was decided."""
        done = self.desk.case
        if done is None:
            return
        following = self.queue.following(done.id)
        waiting = tuple(each for each in self.queue.waiting if each.id != done.id)
        self.queue = replace(self.queue, waiting=waiting)
        if following:
            self._load_first(following, self.desk.give_way)
        else:
            self.desk.give_way()

    def _undo(self, last: Decision) -> None:
        project, case = self.desk.project, last.case
        if project is None or last not in self._decided:
            return

        def work(client: Client) -> Case:
            def undo() -> Case:
                return client.undo(project.key, case, seen_version=last.version)

            return unless_overtaken(client, project.key, case, last.version, None, undo)

        def failed(error: Exception) -> None:
            lost = last.lost(error)
            if lost is not None:
                self._forget(last)
            self._fail(lost or error)

        def undone(found: Case) -> None:
            self._forget(last)
            self.desk.wait("")
            if not self._session.is_open(project.key):
                return
            self.ahead.forget()
            self.desk.give_way()
            self._session.cases_changed.emit()
            waits = found.state == WAITS
            self._session.say(last.taken_back(waits, found))
            if waits and self._session.is_open(project.key):
                self._load(case)

        self.desk.wait(_("Taking the last decision back..."))
        self._session.safety.ask(work, undone, failed)

    def _forget(self, decision: Decision) -> None:
        if decision in self._decided:  # else another project was opened meanwhile
            self._decided.remove(decision)

    def _sure(self, question: str) -> bool:
        return asking.choose(_("Review"), question, [_("Yes"), _("No")], while_testing=0, losing=0) == 0

    def _open_asked(self, case: CaseSummary) -> None:
        if case.state == WAITS:
            self._session.section_asked.emit("review")
            self.open(case.id)

    def _fail(self, error: Exception) -> None:
        self.desk.fail(error)
        if isinstance(error, Problem):  # it is another case, or another project, than was seen
            self._session.cases_changed.emit()
        else:
            self.refresh()
