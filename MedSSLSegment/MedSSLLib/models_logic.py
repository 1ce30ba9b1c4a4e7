"""The models of the open project, for every section that chooses among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.jobs_track import Track
from MedSSLLib.journeys import Errand
from MedSSLLib.learning_choices import Choice, title_of
from MedSSLLib.signals import Signal
from MedSSLLib.told_errands import ToldErrands

if TYPE_CHECKING:
    from medssl.client import Model, ModelFact

    from MedSSLLib.session import Session


class ModelsLogic:
    """Keeps the list of models and what can be done with one.

    Attributes:
        changed: the list is another.
        models: the newest first.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.models: tuple[Model, ...] = ()
        self._session = session
        self._errands = ToldErrands(session, _ended)
        session.models_changed.connect(self.refresh)
        session.engine_changed.connect(self.refresh)

    @property
    def last(self) -> Optional[Model]:
        """The newest model that segments; None when there is none."""
        return next((model for model in self.models if model.can_segment and not model.problem), None)

    @property
    def segmenting(self) -> tuple[Choice, ...]:
        """The models that segment, to choose from; the newest stands for whatever is newest later."""
        usable = [model for model in self.models if model.can_segment and not model.problem]
        return tuple(Choice(model.id, title_of(model)) for model in usable)

    @property
    def size_bytes(self) -> int:
        """What all models take on the engine's disk."""
        return sum(model.size_bytes for model in self.models)

    def model(self, model_id: str) -> Optional[Model]:
        """Return a model by its id."""
        return next((model for model in self.models if model.id == model_id), None)

    def refresh(self) -> None:
        """Ask the engine for its list."""
        project = self._session.project
        if project is None:
            self._take("", ())
        elif self._session.client is not None:
            key = project.key
            self._session.ask(lambda client: client.models(key), lambda models: self._take(key, models))

    def compare(self, models: Sequence[str], done: Callable[[tuple[ModelFact, ...]], Any]) -> None:
        """Lay the cards of models side by side."""
        project = self._session.project
        if project is not None and models:
            key, ids = project.key, tuple(models)
            self._session.ask(lambda client: client.compare_models(key, ids), done)

    def delete(self, model_id: str) -> None:
        """Delete a model after asking; what it proposed stays."""
        project, model = self._session.project, self.model(model_id)
        if project is None or model is None:
            return
        answer = asking.choose(
            _("Delete model"),
            _("Delete the model '{name}' for good? What it proposed stays.").format(name=title_of(model)),
            [_("Delete"), _("Keep")],
            while_testing=0,
            losing=0,
        )
        if answer == 0:
            key = project.key
            self._session.ask(
                lambda client: client.delete_model(key, model_id),
                lambda deleted: self._session.models_changed.emit(),
            )

    def export(self, model_id: str, path: str, file_format: str) -> None:
        """Write a model for others into a file or folder of this computer, as a job."""
        request = {"kind": "export_model", "model": model_id, "format": file_format}
        self._errands.begin(Errand(request, target=path), _("Exporting the model..."))

    def bring(self, path: str) -> None:
        """Bring a model into the project from a file of this computer, as a job."""
        errand = Errand({"kind": "import_model"}, reads="path", source=path)
        self._errands.begin(errand, _("Importing the model..."))

    def _take(self, key: str, models: tuple[Model, ...]) -> None:
        project = self._session.project
        if (project.key if project is not None else "") == key:
            self.models = models
            self.changed.emit()


def _ended(track: Track, here: str) -> str:
    if track.job.kind == "export_model":
        return str(_("The model is in {path}.").format(path=here))
    return str(_("The model is in the list."))
