"""Training from the panel: what can be chosen, what runs, and with what it is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import learning_choices
from MedSSLLib.jobs_track import Track
from MedSSLLib.learning_choices import Choice
from MedSSLLib.learning_run import LearningRun
from MedSSLLib.signals import Signal
from MedSSLLib.train_followup import FollowUp
from MedSSLLib.train_refining import USUAL_DEVICE, USUAL_EFFORT, Refinement, refinement_of

if TYPE_CHECKING:
    from medssl.client import Client, Segment

    from MedSSLLib.session import Session


class TrainLogic:
    """Knows what a training of the open project can be, and with what the newest one is compared.

    Attributes:
        changed: what can be chosen, or whether one may start.
        progressed: the training or what it is compared with changed.
        run: the training that runs, else the newest.
        follow_up: what comes after a training.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.progressed = Signal()
        self._session = session
        self._offers = session.offers
        self._validated: Optional[int] = None
        self._annotated: Optional[int] = None
        self._baseline: Optional[Track] = None
        self._start_from = ""
        self.run = LearningRun(session, "train")
        self.follow_up = FollowUp(session)
        for signal in (session.engine_changed, session.project_changed, session.cases_changed):
            signal.connect(self._ask_project)
        for signal in (session.models.changed, session.offers.changed):
            signal.connect(self.changed.emit)
        session.jobs.listed.connect(self._compare_newest)
        self.run.progressed.connect(self.progressed.emit)
        self._ask_project()

    @property
    def methods(self) -> tuple[Choice, ...]:
        """The methods that the engine has."""
        options = self._offers.options
        return () if options is None else learning_choices.methods(options.methods)

    @property
    def usual_method(self) -> str:
        """The method that was chosen last, or that the engine takes when it is not told another."""
        options = self._offers.options
        return self._offers.remembered("train", "method", "" if options is None else options.method)

    @property
    def usual_effort(self) -> str:
        """The effort that was chosen last."""
        return self._offers.remembered("train", "effort", USUAL_EFFORT)

    @property
    def usual_device(self) -> str:
        """The device that was chosen last."""
        return self._offers.remembered("train", "device", USUAL_DEVICE)

    @property
    def starts(self) -> tuple[Choice, ...]:
        """What a training can begin with."""
        return learning_choices.starts(self._session.models.models)

    def efforts(self, start_from: str) -> tuple[Choice, ...]:
        """How long to train; to refine a model takes less time."""
        options = self._offers.options
        return () if options is None else learning_choices.efforts(options.efforts, self._refines(start_from))

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute."""
        return self._offers.devices

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
            return str(_("Annotate at least one scan first: there is nothing to learn from yet."))
        if self._offers.options is None or self._annotated is None:
            return str(_("Asking the engine..."))
        return ""

    @property
    def track(self) -> Optional[Track]:
        """The training that runs, else the newest."""
        return self.run.track

    @property
    def baseline(self) -> Optional[Track]:
        """An earlier training to compare with: the last supervised one, else the one before."""
        return self._baseline

    def start(self, method: str, start_from: str, effort: str, device: str) -> None:
        """Start a training with what a person chose, and remember that."""
        self._offers.remember("train", method=method, effort=effort, device=device)
        self._submit(method, start_from, effort, device)

    @property
    def refinement(self) -> Optional[Refinement]:
        """How `refine` goes on; None while there is no model, or nobody knows what the engine offers."""
        last = self._session.models.last
        options = self._offers.options
        if last is None or options is None:
            return None
        return refinement_of(last, self._session.jobs.tracks, options, self.devices)

    def refine(self) -> None:
        """Go on from the last model with the cases as they are now, as the training that made it."""
        found = self.refinement
        if found is not None:
            self._submit(found.method, found.model, found.effort, found.device)

    def resume(self) -> None:
        """Go on with the training where it stopped, and with what follows it."""
        if self.track is not None:
            self.run.resume()
            self.follow_up.propose_after(self.track)

    def prefer(self, model: str) -> None:
        """Choose what the next training begins with, from another section."""
        self._start_from = model
        self.changed.emit()

    @property
    def preferred_start(self) -> str:
        """What `prefer` was told last; empty otherwise."""
        return self._start_from

    def _submit(self, method: str, start_from: str, effort: str, device: str) -> None:
        options = self._offers.options
        if options is None:
            return
        chosen = next(each for each in options.efforts if each.name == effort)
        settings = chosen.refine if self._refines(start_from) else chosen.train
        request: dict[str, Any] = {
            "kind": "train",
            "settings": {**settings, "method": method, "device": device},
            "start_from": start_from or None,
        }
        self._session.jobs.submit(request, self.follow_up.propose_after)

    def _refines(self, start_from: str) -> bool:
        model = self._session.models.model(start_from)
        return model is not None and model.can_segment

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
            if self._session.is_open(key):
                self._annotated, self._validated = found
                self.changed.emit()

        self._session.ask(count, take)

    def _compare_newest(self) -> None:
        """Find what the newest training is compared with, and read what it told."""
        track = self.track
        found = None if track is None else _baseline_of(track, self._session.jobs.tracks)
        if found is None:
            self._baseline = None
        elif self._baseline is not found:
            self._session.jobs.recall(found.job.id, self._compare)

    def _compare(self, baseline: Track) -> None:
        self._baseline = baseline
        self.progressed.emit()


def _baseline_of(track: Track, tracks: tuple[Track, ...]) -> Optional[Track]:
    older = [
        each
        for each in tracks
        if each.job.kind == "train" and each.state == "finished" and each.job.created < track.job.created
    ]
    supervised = [each for each in older if each.method == "supervised"]
    return next(iter(supervised or older), None)
