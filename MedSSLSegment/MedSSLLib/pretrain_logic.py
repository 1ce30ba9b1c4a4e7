"""Pretraining from the panel: an encoder learns what scans look like, before anyone annotates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from MedSSLLib import learning_choices
from MedSSLLib.jobs_track import duration
from MedSSLLib.journeys import Errand
from MedSSLLib.learning_choices import Choice
from MedSSLLib.learning_run import LearningRun
from MedSSLLib.plurals import plural
from MedSSLLib.signals import Signal
from MedSSLLib.train_refining import USUAL_DEVICE, USUAL_EFFORT

if TYPE_CHECKING:
    from medssl.client import Model

    from MedSSLLib.session import Session


class PretrainLogic:
    """Knows what a pretraining can be, and lists the encoders that were pretrained.

    Attributes:
        changed: what can be chosen, the list of encoders, or whether one may start.
        run: the pretraining that runs, else the newest.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.run = LearningRun(session, "pretrain")
        self._session = session
        self._offers = session.offers
        for signal in (
            session.engine_changed,
            session.project_changed,
            session.models.changed,
            session.offers.changed,
        ):
            signal.connect(self.changed.emit)

    @property
    def tasks(self) -> tuple[Choice, ...]:
        """The pretext tasks that the engine has, each with a sentence."""
        options = self._offers.options
        return () if options is None else learning_choices.pretexts(options.pretexts)

    @property
    def usual_task(self) -> str:
        """The task that was chosen last, or that the engine takes when it is not told another."""
        options = self._offers.options
        return self._offers.remembered("pretrain", "task", "" if options is None else options.pretext)

    @property
    def efforts(self) -> tuple[Choice, ...]:
        """How long to learn."""
        options = self._offers.options
        return () if options is None else learning_choices.pretraining_efforts(options.efforts)

    @property
    def usual_effort(self) -> str:
        """The effort that was chosen last."""
        return self._offers.remembered("pretrain", "effort", USUAL_EFFORT)

    @property
    def devices(self) -> tuple[Choice, ...]:
        """Where to compute."""
        return self._offers.devices

    @property
    def usual_device(self) -> str:
        """The device that was chosen last."""
        return self._offers.remembered("pretrain", "device", USUAL_DEVICE)

    @property
    def sources(self) -> tuple[Choice, ...]:
        """What to learn from: the open project's cases, or any folder of scans; '' and 'folder'."""
        project = self._session.project
        of_project = _("The scans of the project")
        if project is not None:
            of_project = f"{of_project} {project.name} ({project.cases})"
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
            return _("Choose a project, or make one in the module MedSSL Segment; the encoder is kept in it.")
        return "" if self._offers.options is not None else _("Asking the engine...")

    def start(self, task: str, folder: str, effort: str, device: str) -> None:
        """Start a pretraining.

        Args:
            task: name of the pretext task.
            folder: of this computer, with scans to learn from; empty for the project's cases.
            effort: how long.
            device: where.
        """
        options = self._offers.options
        if options is None:
            return
        self._offers.remember("pretrain", task=task, effort=effort, device=device)
        chosen = next(each for each in options.efforts if each.name == effort)
        request: dict[str, Any] = {
            "kind": "pretrain",
            "settings": {**chosen.pretrain, "method": task, "device": device},
        }
        errand = Errand(request, reads="scans" if folder else "", source=folder)
        self._session.journeys.submit(errand, lambda track: self.changed.emit())

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


def facts_of(model: Model) -> str:
    """Say what an encoder has seen."""
    if model.card is None:
        return model.problem
    scans, seconds = int(model.card["unannotated_cases"]), float(model.card["seconds"])
    text = plural(scans, _("1 scan, {time}"), _("{scans} scans, {time}"))
    return text.format(scans=scans, time=duration(seconds))
