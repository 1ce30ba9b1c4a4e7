"""Training from the panel: what can be chosen, what runs, and with what it is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import learning_choices
from MedSSLLib.jobs_track import Track
from MedSSLLib.learning_choices import Choice
from MedSSLLib.signals import Signal
from MedSSLLib.train_followup import FollowUp
from MedSSLLib.train_refining import Refinement, refinement_of

if TYPE_CHECKING:
    from medssl.client import Client, Device, Options, Segment

    from MedSSLLib.session import Session


class TrainLogic:
    """Knows what the engine offers for the open project, and follows its newest training.

    Attributes:
        changed: what can be chosen, or whether one may start.
        progressed: the training or what it is compared with changed.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.progressed = Signal()
        self._session = session
        self._options: Optional[Options] = None
        self._device: Optional[Device] = None
        self._asked_of: Optional[Client] = None
        self._validated: Optional[int] = None
        self._annotated: Optional[int] = None
        self._baseline: Optional[Track] = None
        self._start_from = ""
        self.follow_up = FollowUp(session)
        session.engine_changed.connect(self._ask_engine)
        session.project_changed.connect(self._ask_project)
        session.cases_changed.connect(self._ask_project)
        session.models.changed.connect(self.changed.emit)
        session.scene_closed.connect(self.changed.emit)  # the charts went with it
        session.jobs.listed.connect(self._follow)
        session.jobs.told.connect(self._hear)
        self._ask_engine()
        self._ask_project()

    @property
    def methods(self) -> tuple[Choice, ...]:
        """The methods that the engine has."""
        return () if self._options is None else learning_choices.methods(self._options.methods)

    @property
    def usual_method(self) -> str:
        """The method that the engine takes when it is not told another."""
        return "" if self._options is None else self._options.method

    @property
    def starts(self) -> tuple[Choice, ...]:
        """What a training can begin with."""
        return learning_choices.starts(self._session.models.models)

    def efforts(self, start_from: str) -> tuple[Choice, ...]:
        """How long to train; to refine a model takes less time."""
        if self._options is None:
            return ()
        return learning_choices.efforts(self._options.efforts, self._refines(start_from))

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute."""
        return learning_choices.devices(self._device)

    @property
    def formats(self) -> tuple[Choice, ...]:
        """What segmentations can be written as."""
        return () if self._options is None else learning_choices.formats(self._options.formats)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The project's segments, whose colors the curves have."""
        project = self._session.project
        return () if project is None else project.segments

    @property
    def validation_cases(self) -> Optional[int]:
        """How many cases the Dice is measured on; None while nobody knows."""
        return self._validated

    @property
    def obstacle(self) -> str:
        """Why no training can start now, in one sentence; empty when it can."""
        if self._session.client is None:
            return str(_("The engine is not running."))
        if self._session.project is None:
            return str(_("Open a project first."))
        if self._annotated == 0:
            return str(_("Annotate at least one case first: there is nothing to learn from yet."))
        if self._options is None or self._annotated is None:
            return str(_("Asking the engine..."))
        return ""

    @property
    def track(self) -> Optional[Track]:
        """The training that runs, else the newest."""
        return self._session.jobs.newest("train")

    @property
    def baseline(self) -> Optional[Track]:
        """An earlier training to compare with: the last supervised one, else the one before."""
        return self._baseline

    def start(self, method: str, start_from: str, effort: str, device: str) -> None:
        """Start a training with what was chosen."""
        if self._options is None:
            return
        chosen = next(each for each in self._options.efforts if each.name == effort)
        settings = chosen.refine if self._refines(start_from) else chosen.train
        request: dict[str, Any] = {
            "kind": "train",
            "settings": {**settings, "method": method, "device": device},
            "start_from": start_from or None,
        }
        self._session.jobs.submit(request, self.follow_up.propose_after)

    @property
    def refinement(self) -> Optional[Refinement]:
        """How `refine` goes on; None while there is no model, or nobody knows what the engine offers."""
        last = self._session.models.last
        if last is None or self._options is None:
            return None
        return refinement_of(last, self._session.jobs.tracks, self._options, self.devices)

    def refine(self) -> None:
        """Go on from the last model with the cases as they are now, as the training that made it."""
        found = self.refinement
        if found is not None:
            self.start(found.method, found.model, found.effort, found.device)

    def cancel(self) -> None:
        """Ask the training to stop."""
        if self.track is not None:
            self._session.jobs.cancel(self.track.job.id)

    def resume(self) -> None:
        """Go on with the training where it stopped."""
        if self.track is not None:
            self._session.jobs.resume(self.track.job.id)
            self.follow_up.propose_after(self.track)

    def prefer(self, model: str) -> None:
        """Choose what the next training begins with, from another section."""
        self._start_from = model
        self.changed.emit()

    @property
    def preferred_start(self) -> str:
        """What `prefer` was told last; empty otherwise."""
        return self._start_from

    def _refines(self, start_from: str) -> bool:
        model = self._session.models.model(start_from)
        return model is not None and model.can_segment

    def _ask_engine(self) -> None:
        client = self._session.client
        if client is self._asked_of:
            return
        self._asked_of = client
        self._options = self._device = None
        if client is not None:
            self._session.ask(lambda asked: (asked.options(), asked.device()), self._take_engine)
            self._ask_project()
        self.changed.emit()

    def _take_engine(self, found: tuple[Options, Device]) -> None:
        self._options, self._device = found
        self.changed.emit()

    def _ask_project(self) -> None:
        project = self._session.project
        if project is None or self._session.client is None:
            self._validated = self._annotated = None
            self.changed.emit()
            return
        key = project.key

        def count(client: Client) -> tuple[int, int]:
            annotated = client.cases(key, role="training", state="annotated", limit=1).total
            return annotated, client.cases(key, role="validation", state="annotated", limit=1).total

        def take(found: tuple[int, int]) -> None:
            if self._session.project is not None and self._session.project.key == key:
                self._annotated, self._validated = found
                self.changed.emit()

        self._session.ask(count, take)

    def _follow(self) -> None:
        """Find what the newest training is compared with, and read what it told."""
        track = self.track
        found = None if track is None else _baseline_of(track, self._session.jobs.tracks)
        if found is None:
            self._baseline = None
        elif self._baseline is not found:
            self._session.jobs.recall(found.job.id, self._compare)
        if track is not None and track.over and not track.last:
            self._session.jobs.recall(track.job.id, lambda recalled: self.progressed.emit())
        self.progressed.emit()

    def _compare(self, baseline: Track) -> None:
        self._baseline = baseline
        self.progressed.emit()

    def _hear(self, track: Track) -> None:
        if track is self.track:
            self.progressed.emit()


def _baseline_of(track: Track, tracks: tuple[Track, ...]) -> Optional[Track]:
    older = [
        each
        for each in tracks
        if each.job.kind == "train" and each.state == "finished" and each.job.created < track.job.created
    ]
    supervised = [each for each in older if each.method == "supervised"]
    return next(iter(supervised or older), None)
