"""Drawings whose case is no longer on the screen: kept in files, and sent to the engine until it has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import numpy as np
import qt
from slicer.i18n import tr as _

from MedSSLLib import asking, backend, kept_drawings
from MedSSLLib.drawings import Drawing, DrawingFacts, deliver, further, is_of
from MedSSLLib.engine_files import is_away
from MedSSLLib.grids import Grid
from MedSSLLib.kept_drawings import Keeper, KeptDrawing
from MedSSLLib.meantime import Overtaken
from MedSSLLib.problems import Problem

if TYPE_CHECKING:
    from medssl.client import Annotation, Client, Project

    from MedSSLLib.engine_files import EngineFiles
    from MedSSLLib.session import Session

T = TypeVar("T")

_SAVE, _DISCARD, _LATER = range(3)
_AGAIN_MS = 10_000  # until the next try where the engine was away for a moment


@dataclass(frozen=True, eq=False)
class _Parcel:
    """A drawing on its way: in a file or, where none could be written, in memory.

    Attributes:
        facts: about it.
        file: that has it.
        voxels: what is drawn where there is no file, and where it lies.
        problem: why there is no file.
        awaits: whether the person was told that it waits for the engine.
    """

    facts: DrawingFacts
    file: Optional[KeptDrawing]
    voxels: Optional[tuple[np.ndarray, Grid]] = None
    problem: Optional[Problem] = None
    awaits: bool = False


class Safety:
    """Keeps drawings until the engine has them; what an earlier start of Slicer kept is offered again.

    Attributes:
        unsaved: drawings and decisions that are on their way at this moment; Slicer waits for them.
        ending: Slicer ends: whatever must be asked about is asked at its next start.
    """

    def __init__(self, session: Session) -> None:
        self.unsaved = 0
        self.ending = False
        self._session = session
        self._waiting: list[_Parcel] = []  # for the engine that they are meant for
        self._keeper = Keeper()  # has in hand what this start of Slicer kept, or asked about
        self._again = qt.QTimer()
        self._again.setSingleShot(True)
        self._again.setInterval(_AGAIN_MS)
        self._again.timeout.connect(self._send_awaiting)
        session.engine_changed.connect(self._engine_came)
        session.project_changed.connect(self._look)

    def close(self) -> None:
        """Send nothing more, and leave what is kept to others."""
        self._again.stop()
        self._keeper.close()

    def ask(
        self, work: Callable[[Client], T], done: Callable[[T], Any], failed: Callable[[Exception], Any]
    ) -> None:
        """Do as `Session.ask`, but let Slicer end only when the answer has come."""

        def came(answer: T) -> None:
            self.unsaved -= 1
            done(answer)

        def refused(error: Exception) -> None:
            self.unsaved -= 1
            failed(error)

        self.unsaved += 1
        self._session.ask(work, came, refused)

    def save(self, drawing: Drawing) -> None:
        """Keep a drawing in a file, and send it to the engine now or as soon as there is one."""
        # Nobody sees it any more who could say what becomes of a segment that the project lacks.
        drawing = replace(drawing, facts=replace(drawing.facts, grows=True))
        self.unsaved += 1

        def pack() -> Optional[_Parcel]:
            labels, facts = drawing.labels(), drawing.facts
            is_new = facts.version == 0 and facts.proposal is None
            if labels is None or (is_new and not labels.any()):  # nobody said that it shows none
                return None
            try:
                return _Parcel(facts, self._keeper.keep(facts, labels, drawing.grid))
            except Problem as problem:
                return _Parcel(facts, None, (labels, drawing.grid), problem)

        def packed(parcel: Optional[_Parcel]) -> None:
            if parcel is None:
                self.unsaved -= 1
                text = _("{name} was not saved: nothing is drawn on it.").format(name=drawing.facts.name)
                self._session.say(text, "", "warning")
                return
            if parcel.problem is not None:
                self._session.report(parcel.problem)
            self._send(parcel)

        def failed(error: Exception) -> None:
            self.unsaved -= 1
            self._session.report(error)

        self._session.background.run(pack, packed, failed)

    def _send(self, parcel: _Parcel) -> None:
        """Send a drawing that counts as unsaved, unless the engine is another than it is meant for."""
        files, name = self._session.files, parcel.facts.name
        is_meant = self._is_meant(parcel)

        def send(client: Client) -> Optional[Annotation]:
            if not is_meant:
                raise Problem(_("The engine that has the project is not connected."))
            return self._deliver(client, files, parcel)

        def saved(annotation: Optional[Annotation]) -> None:
            self.unsaved -= 1
            if annotation is None:
                self._tell_gone(parcel)
                return
            told = _("What was drawn on {name} was saved.").format(name=name)
            self._session.say_with_notes(told, annotation.notes)
            self._session.cases_changed.emit()

        def failed(error: Exception) -> None:
            self.unsaved -= 1
            if isinstance(error, Overtaken) and self._settle(parcel, error):
                return
            self._postpone(parcel, error)

        self._session.ask(send, saved, failed)

    def _deliver(self, client: Client, files: EngineFiles, parcel: _Parcel) -> Optional[Annotation]:
        """Send a drawing, and keep it no more; None when its file was deleted meanwhile."""
        if parcel.file is None:
            assert parcel.voxels is not None
            return deliver(client, files, parcel.facts, *parcel.voxels)
        if not parcel.file.is_there:
            self._keeper.release(parcel.file)
            return None
        answer = deliver(client, files, parcel.facts, *parcel.file.read())
        self._keeper.discard(parcel.file)
        return answer

    def _tell_gone(self, parcel: _Parcel) -> None:
        assert parcel.file is not None
        text = _("What was drawn on {name} is not kept any more: {folder} was deleted.")
        text = text.format(name=parcel.facts.name, folder=parcel.file.folder)
        self._session.say(text, _("Look in the project whether it was saved before."), "warning")

    def _postpone(self, parcel: _Parcel, error: Exception) -> None:
        """Have a drawing wait that was not saved; a person who knows that is not told at each attempt."""
        awaits = self._session.client is None or is_away(error) or not self._is_meant(parcel)
        self._waiting.append(replace(parcel, awaits=awaits))
        if awaits:
            self._again.start()
        if awaits and parcel.awaits:
            return
        self._session.report(error)
        text = _("What was drawn on {name} is not saved in the project yet.").format(name=parcel.facts.name)
        self._session.say(*self._told(text, error, parcel, awaits), "warning")

    def _told(self, text: str, error: Exception, parcel: _Parcel, awaits: bool) -> tuple[str, str]:
        """What became of a drawing that was not saved, and what follows."""
        if awaits:
            if parcel.file is None:
                return text, _("It is kept until the engine answers again; do not close 3D Slicer.")
            kept = _(
                "It is kept on this computer, and saved when the engine answers; 3D Slicer may be closed."
            )
            return text, kept
        text = f"{text} {getattr(error, 'message', '') or error}"
        if parcel.file is None:
            kept = _("It is kept only while 3D Slicer runs.")
        else:
            kept = _("It is kept in {folder}, and asked about at the next start.").format(
                folder=parcel.file.folder
            )
        return text, f"{getattr(error, 'remedy', '')} {kept}".strip()

    def _settle(self, parcel: _Parcel, error: Overtaken) -> bool:
        """Ask what becomes of a drawing in whose case something else counts by now; whether that is known."""
        if parcel.file is not None and self.ending:
            return True
        answer = error.ask(_("Discard"), _("Ask later"))
        if answer == _SAVE:
            self.unsaved += 1
            self._send(replace(parcel, facts=further(parcel.facts, error)))
        elif answer == _DISCARD and parcel.file is not None:
            self._discard(parcel.file)
        elif answer == _LATER and parcel.file is not None:
            text = _("What you drew on {name} is kept on this computer, and asked about at the next start.")
            self._session.say(text.format(name=parcel.facts.name), "", "warning")
        return answer != _LATER or parcel.file is not None

    def _engine_came(self) -> None:
        self._send_waiting(self._waiting)
        self._look()

    def _send_awaiting(self) -> None:
        """Try again what the engine was away for; what it refused is as it was."""
        self._send_waiting([parcel for parcel in self._waiting if parcel.awaits])

    def _send_waiting(self, parcels: Sequence[_Parcel]) -> None:
        for parcel in tuple(parcels) if self._session.client is not None else ():
            if self._is_meant(parcel):
                self._waiting.remove(parcel)
                self.unsaved += 1
                self._send(parcel)

    def _is_meant(self, parcel: _Parcel) -> bool:
        """Whether the engine that there is, or was last, is the one that a drawing is for."""
        return parcel.facts.engine == self._session.address

    def _look(self) -> None:
        """See whether an earlier start of Slicer left drawings for the open project."""
        project, engine = self._session.project, self._session.address
        if project is None or self._session.client is None:
            return
        key = project.key

        def look(client: Client) -> tuple[KeptDrawing, ...]:
            kept = kept_drawings.kept(key)
            ours = (each for each in kept if each.facts.engine == engine or _has_case(client, each.facts))
            return tuple(each for each in ours if self._keeper.take(each))

        def found(drawings: tuple[KeptDrawing, ...]) -> None:
            now = self._session.project
            if now is None or now.key != key or self._session.address != engine:
                for each in drawings:
                    self._keeper.release(each)
            elif drawings:
                self._offer(now, engine, drawings)

        self._session.ask(look, found)

    def _offer(self, project: Project, engine: Optional[str], drawings: tuple[KeptDrawing, ...]) -> None:
        names = ", ".join(dict.fromkeys(each.facts.name for each in drawings))
        answer = asking.choose(
            _("Drawings that were not saved"),
            _("When 3D Slicer was closed, what was drawn on {names} could not be saved in the project "
              "'{project}'. Save it now?").format(names=names, project=project.name),
            (_("Save"), _("Discard"), _("Ask later")),
            while_testing=_SAVE,
            losing=_DISCARD,
        )  # fmt: skip
        for each in drawings:
            if answer == _SAVE:
                self.unsaved += 1
                self._send(_Parcel(replace(each.facts, engine=engine), each))
            elif answer == _DISCARD:
                self._discard(each)

    def _discard(self, drawing: KeptDrawing) -> None:
        self._session.background.run(lambda: self._keeper.discard(drawing))


def _has_case(client: Client, facts: DrawingFacts) -> bool:
    """Whether another engine than a drawing is meant for, as far as that is known, has its very case."""
    try:
        return is_of(facts, client.case(facts.project, facts.case))
    except backend.client_package().EngineError:
        return False
