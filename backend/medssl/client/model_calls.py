"""Models: what there is, their cards, their rules for channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medssl.client.answers import record
from medssl.client.calls import Calls, model_path, project_path
from medssl.client.records import Model, ModelChannels, ModelFact


class ModelCalls(Calls):
    """Models: what there is, their cards, their rules for channels."""

    def models(self, project: str) -> tuple[Model, ...]:
        """List the models, the newest first."""
        return tuple(record(Model, each) for each in self.connection.get(f"{project_path(project)}/models"))

    def model(self, project: str, model: str = "latest") -> Model:
        """Return a model with its card."""
        return record(Model, self.connection.get(model_path(project, model)))

    def compare_models(self, project: str, models: Sequence[str]) -> tuple[ModelFact, ...]:
        """Lay the cards of models side by side, one line a fact; ids, or 'latest'."""
        found = self.connection.get(f"{project_path(project)}/models/comparison", {"model": list(models)})
        return tuple(record(ModelFact, each, values=tuple(each["values"])) for each in found)

    def delete_model(self, project: str, model: str) -> None:
        """Delete a model and its files; what it proposed stays."""
        self.connection.change("DELETE", model_path(project, model))

    def channel_rules(self, project: str, model: str) -> ModelChannels:
        """Say by which rules the DICOM series of a study become a model's channels."""
        return _channels(self.connection.get(f"{model_path(project, model)}/channels"))

    def set_channel_rules(self, project: str, model: str, rules: Mapping[str, Any] | None) -> ModelChannels:
        """Give a model rules of its own for all runs from now on; with None, the usual ones count again."""
        path = f"{model_path(project, model)}/channels"
        if rules is None:
            return _channels(self.connection.change("DELETE", path))
        return _channels(self.connection.change("PUT", path, rules))


def _channels(found: Mapping[str, Any]) -> ModelChannels:
    return record(ModelChannels, found, channels=tuple(found["channels"]))
