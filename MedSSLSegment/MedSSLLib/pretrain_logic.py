"""Pretraining from the panel: an encoder learns what scans look like, before anyone annotates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import folder_jobs, learning_choices
from MedSSLLib.jobs_track import Track, duration
from MedSSLLib.learning_choices import Choice
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Client, Device, Model, Options

    from MedSSLLib.session import Session


class PretrainLogic:
    """Knows what the engine offers, follows the newest pretraining, and lists the encoders it left.

    Attributes:
        changed: what can be chosen, the list of encoders, or whether one may start.
        progressed: the pretraining reported something.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.progressed = Signal()
        self._session = session
        self._options: Optional[Options] = None
        self._device: Optional[Device] = None
        self._asked_of: Optional[Client] = None
        session.engine_changed.connect(self._ask_engine)
        session.project_changed.connect(self.changed.emit)
        session.models.changed.connect(self.changed.emit)
        session.scene_closed.connect(self.changed.emit)  # the charts went with it
        session.jobs.listed.connect(self._follow)
        session.jobs.told.connect(self._hear)
        self._ask_engine()

    @property
    def tasks(self) -> tuple[Choice, ...]:
        """The pretext tasks that the engine has, each with a sentence."""
        return () if self._options is None else learning_choices.pretexts(self._options.pretexts)

    @property
    def usual_task(self) -> str:
        """The task that the engine takes when it is not told another."""
        return "" if self._options is None else self._options.pretext

    @property
    def efforts(self) -> tuple[Choice, ...]:
        """How long to learn."""
        return () if self._options is None else learning_choices.pretraining_efforts(self._options.efforts)

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute."""
        return learning_choices.devices(self._device)

    @property
    def sources(self) -> tuple[Choice, ...]:
        """What to learn from: the open project's cases, or any folder of scans; '' and 'folder'."""
        project = self._session.project
        name = _("no project is open") if project is None else project.name
        count = 0 if project is None else project.cases
        of_project = _("The cases of the project {name} ({count})").format(name=name, count=count)
        return (Choice("", of_project), Choice("folder", _("A folder of scans")))

    @property
    def encoders(self) -> tuple[Model, ...]:
        """The pretrained models of the project, the newest first."""
        return tuple(model for model in self._session.models.models if not model.can_segment)

    @property
    def chosen_for_training(self) -> str:
        """The model that the next training begins with."""
        return self._session.training.preferred_start

    @property
    def obstacle(self) -> str:
        """Why nothing can start now, in one sentence; empty when it can."""
        if self._session.client is None:
            return _("The engine is not running.")
        if self._session.project is None:
            return _("Open a project first; the encoder is kept in it.")
        return "" if self._options is not None else _("Asking the engine...")

    @property
    def track(self) -> Optional[Track]:
        """The pretraining that runs, else the newest."""
        return self._session.jobs.newest("pretrain")

    def start(self, task: str, folder: str, effort: str, device: str) -> None:
        """Start a pretraining.

        Args:
            task: name of the pretext task.
            folder: scans to learn from; empty for the project's cases.
            effort: how long.
            device: where.
        """
        if self._options is None:
            return
        chosen = next(each for each in self._options.efforts if each.name == effort)
        request: dict[str, Any] = {
            "kind": "pretrain",
            "settings": {**chosen.pretrain, "method": task, "device": device},
            "scans": folder or None,
        }
        folder_jobs.submit(self._session, request, (folder,) if folder else ())

    def cancel(self) -> None:
        """Ask the pretraining to stop."""
        if self.track is not None:
            self._session.jobs.cancel(self.track.job.id)

    def resume(self) -> None:
        """Go on where it stopped."""
        if self.track is not None:
            self._session.jobs.resume(self.track.job.id)

    def use_for_training(self, model: str) -> None:
        """Let the next training begin with an encoder."""
        self._session.training.prefer(model)
        found = self._session.models.model(model)
        name = model if found is None else found.name
        self._session.say(
            _("The next training begins with '{name}'.").format(name=name),
            _("Start it in the module MedSSL Segment, section Train."),
        )
        self.changed.emit()

    def _ask_engine(self) -> None:
        client = self._session.client
        if client is self._asked_of:
            return
        self._asked_of = client
        self._options = self._device = None
        if client is not None:
            self._session.ask(lambda asked: (asked.options(), asked.device()), self._take_engine)
        self.changed.emit()

    def _take_engine(self, found: tuple[Options, Device]) -> None:
        self._options, self._device = found
        self.changed.emit()

    def _follow(self) -> None:
        track = self.track
        if track is not None and track.over and not track.last:
            self._session.jobs.recall(track.job.id, lambda recalled: self.progressed.emit())
        self.progressed.emit()

    def _hear(self, track: Track) -> None:
        if track is self.track:
            self.progressed.emit()


def facts_of(model: Model) -> str:
    """Say what an encoder has seen."""
    if model.card is None:
        return model.problem
    scans, seconds = int(model.card["unannotated_cases"]), float(model.card["seconds"])
    return _("{scans} scans, {time}").format(scans=scans, time=duration(seconds))
