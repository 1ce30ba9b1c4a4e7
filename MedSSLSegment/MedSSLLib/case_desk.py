"""The one case that a section has on the screen: how it comes and goes, and that no drawing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, Protocol, TypeVar

import qt
from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.changes import Changes
from MedSSLLib.meantime import news_of, renamed, version_of
from MedSSLLib.problems import Problem
from MedSSLLib.review_queue import WAITS
from MedSSLLib.signals import Signal
from MedSSLLib.stopwatch import Stopwatch

if TYPE_CHECKING:
    from medssl.client import Case, Client, Project

    from MedSSLLib.background import Task
    from MedSSLLib.case_scene import CaseScene
    from MedSSLLib.session import Session

T = TypeVar("T")

_SAVE, _DISCARD, _STAY = range(3)


class Owner(Protocol):
    """What a section does with its case in its own way."""

    def question(self, case: Case) -> tuple[str, str]:
        """The title and the text of the question whether to save what is drawn."""

    def save(self, then: Callable[[], Any]) -> None:
        """Save what is drawn while it stays on the screen, and go on when that worked."""

    def rescue(self) -> None:
        """Hand over what is drawn to the session's safety, because it cannot stay.

        Raises:
            Problem: it cannot be taken.
        """

    def outdated(self) -> None:
        """The case on the screen is not any more what the person saw; `Desk.news` says why."""

    def cleared(self) -> None:
        """The case is off the screen."""

    def follow(self, another: bool) -> None:
        """The project is described anew, or it is another one."""


class Desk:
    """Shows one case at a time.

    The views are one for all sections: a case that comes takes the place of those that other sections have on
    the screen, after what was drawn on them is kept.

    Attributes:
        changed: something to show changed.
        shown: another case is on the screen, or none.
        case: on the screen.
        scene: its nodes.
        changes: that the person made to it, by drawing or marking.
        version: of its annotation that counted when the person last saw it, 0 for none.
        news: what happened to it elsewhere since then; empty for nothing.
        busy: what is waited for; empty when nothing is.
        project: that the case belongs to.
    """

    def __init__(self, session: Session, owner: Owner) -> None:
        self.changed = Signal()
        self.shown = Signal()
        self.case: Optional[Case] = None
        self.scene: Optional[CaseScene] = None
        self.changes = Changes()
        self.version = 0
        self.news = ""
        self.busy = ""
        self.project: Optional[Project] = session.project
        self._session = session
        self._owner = owner
        self._watch = Stopwatch()
        self._entered = False
        self._loading: Optional[Task[Any]] = None
        self._connections = (
            (session.project_changed, self._follow),
            (session.cases_changed, self._look_again),
            (session.scene_closing, self.lose),
        )
        for signal, call in self._connections:
            signal.connect(call)
        session.desks.append(self)

    @property
    def touched(self) -> bool:
        """Whether there is something on the screen that is not saved."""
        return self.changes.unsaved

    @property
    def seconds(self) -> float:
        """How long the person worked on the case since it was opened or saved."""
        return self._watch.seconds

    def enter(self) -> None:
        """The panel is open: the time that passes is spent on the case."""
        self._entered = True
        if self.case is not None:
            self._watch.start()

    def exit(self) -> None:
        """The person does something else."""
        self._entered = False
        self._watch.stop()

    def close(self) -> None:
        """Keep what was drawn, and take the case off the screen for good."""
        self.give_way()
        for signal, call in self._connections:
            signal.disconnect(call)
        if self in self._session.desks:
            self._session.desks.remove(self)

    def load(self, sentence: str, fetch: Callable[[Client], T], show: Callable[[T], Any]) -> None:
        """Read a case beside the main thread; whoever asks for another one before it came gets that instead.

        Args:
            sentence: what is waited for.
            fetch: reads it.
            show: gets what was read.
        """
        self._stop_loading()

        def take(answer: T) -> None:
            self._loading = None
            self.wait("")
            show(answer)

        def failed(error: Exception) -> None:
            self._loading = None
            self.fail(error)
            if isinstance(error, Problem):  # such as a proposal that waits no more
                self._session.cases_changed.emit()

        self.wait(sentence)
        self._loading = self._session.ask(fetch, take, failed)

    def put(self, case: Case, make: Callable[[], CaseScene]) -> None:
        """Have a case on the screen, and no other, in whatever section.

        Args:
            case: what is shown.
            make: puts its nodes into the scene.
        """
        desks, project = tuple(self._session.desks), self.project
        for desk in desks:
            desk._stop_loading()  # or its case would come while a question about another one is open
        for desk in desks:
            desk.give_way()
        if _is_another(self.project, project):  # it came while a question was open
            return
        scene = make()
        self.case, self.scene = case, scene
        self.version, self.news = version_of(case), ""
        self._watch.reset()
        if self._entered:
            self._watch.start()
        self.shown.emit()
        self.changed.emit()

    def clear(self) -> None:
        """Take the case off the screen, whatever is drawn on it."""
        if self.case is None:
            return
        self._watch.stop()
        self.changes.forget()
        self.case, self.news = None, ""
        scene, self.scene = self.scene, None
        self._owner.cleared()
        if scene is not None:
            self.shown.emit()  # the editor lets go first
            scene.remove()
        self.changed.emit()

    def give_way(self) -> None:
        """Take the case off the screen at once, after what was drawn on it is kept."""
        self._stop_loading()
        self._rescue()
        self.clear()

    def leave(self, then: Callable[[], Any]) -> None:
        """Go on with what takes the case off the screen, after asking about what was drawn on it."""
        self._stop_loading()
        if self.busy:
            self._session.say(_("Wait a moment: {doing}").format(doing=self.busy))
            return
        if not self.settle_preview():
            return
        case = self.case
        if not self.touched or case is None:
            then()
            return
        title, question = self._owner.question(case)
        answers = (_("Save"), _("Discard"), _("Stay"))
        answer = asking.choose(title, question, answers, while_testing=_SAVE, losing=_DISCARD)
        if self.case is not case:  # another project came while the question was open
            return
        if answer == _SAVE:
            self._owner.save(then)
        elif answer == _DISCARD:
            self.discard()
            then()

    def make_room(self, then: Callable[[], Any]) -> None:
        """Go on with what brings another case, after asking about what was drawn in any section."""
        others = tuple(desk for desk in self._session.desks if desk is not self)
        _leave_all((self, *others), then)

    def lose(self) -> None:
        """The nodes are about to leave the scene: the last moment to keep what was drawn."""
        self._stop_loading()
        scene, case = self.scene, self.case
        if scene is None or case is None:
            return
        kept = self._rescue()
        self.scene = None
        scene.forget()
        self.clear()
        self.shown.emit()
        qt.QTimer.singleShot(0, scene.remove)  # the other nodes, after the one that is going
        if not kept:
            self._session.say(_("{name} was closed, because it left the scene.").format(name=case.name))

    def touch(self) -> None:
        """Something was drawn, or marked."""
        before = self.touched
        self.changes.add()
        if not before:
            self.changed.emit()

    def discard(self) -> None:
        """What was drawn is not wanted, nor what an effect previews."""
        if self.scene is not None:
            self._session.editor.drop_preview(self.scene.segmentation)
        self.changes.forget()
        self.changed.emit()

    def saved(self, case: Case, count: int, version: int) -> None:
        """So many changes of a case are saved; the time that passes from now on is for the next version."""
        if self.case is case:
            self.version, self.news = version, ""
            self.changes.keep(count)
            self._watch.reset()
            self.changed.emit()

    def _look_again(self) -> None:
        """Ask whether the case is still what the person sees."""
        case, project, version = self.case, self.project, self.version
        if case is None or project is None or self._session.client is None:
            return
        proposal = case.pseudo_label.id if case.pseudo_label is not None and case.state == WAITS else None

        def compare(now: Case) -> None:
            # What was done here meanwhile is no news.
            if self.case is not case or self.version != version or self.busy:
                return
            news = news_of(now, version, proposal)
            if news and news != self.news:
                self.news = news
                self._session.say(news)
                self._owner.outdated()
                self.changed.emit()

        self._session.ask(lambda client: client.case(project.key, case.id), compare, lambda _error: None)

    def settle_preview(self, may_stay: bool = True) -> bool:
        """Have an effect's preview on the case drawn or left out, as the person wants.

        Args:
            may_stay: whether the person can go on with it instead.

        Returns:
            False when it is still there, or the case left the screen while the question was open: what was
            to follow must not.
        """
        case = self.case
        if self.scene is None or case is None:
            return True
        try:
            settled = self._session.editor.settle_preview(self.scene.segmentation, case.name, may_stay)
            return settled and self.case is case
        except Problem as problem:
            self._session.report(problem)
            return False

    def wait(self, sentence: str) -> None:
        """Tell what is waited for; '' for nothing."""
        self.busy = sentence
        self.changed.emit()

    def fail(self, error: Exception) -> None:
        """What was waited for did not work out."""
        self.wait("")
        self._session.report(error)

    def _rescue(self) -> bool:
        """Keep what was drawn, if the person wants it, when its nodes cannot stay; whether it is kept."""
        self.settle_preview(may_stay=False)
        case = self.case
        if not self.changes.at_risk or case is None or self.scene is None:
            return False
        title, question = self._owner.question(case)
        answers = (_("Save"), _("Discard"))
        answer = asking.choose(title, question, answers, while_testing=_SAVE, closing=_SAVE, losing=_DISCARD)
        if answer != _SAVE or self.case is not case:  # another answer has settled it already
            return False
        try:
            self.scene.draw_as_voxels()
            self._owner.rescue()
        except Problem as problem:
            self._session.report(problem)
            return False
        return True

    def _stop_loading(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None
            self.wait("")

    def _follow(self) -> None:
        project = self._session.project
        another = _is_another(project, self.project)
        if another:
            self.give_way()
        elif self.case is not None and project is not None and self.project is not None:
            changed = renamed({each.value: each.name for each in self.project.segments}, project.segments)
            if changed:
                self._session.say(changed)
        self.project = project
        self._owner.follow(another)


def _is_another(project: Optional[Project], than: Optional[Project]) -> bool:
    return (project and project.key) != (than and than.key)


def _leave_all(desks: tuple[Desk, ...], then: Callable[[], Any]) -> None:
    if desks:
        desks[0].leave(lambda: _leave_all(desks[1:], then))
    else:
        then()
