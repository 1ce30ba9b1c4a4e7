"""Models: what there is, their cards, their rules for channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medssl.client.answers import channels_of, done, each, fact_of, record_of
from medssl.client.calls import Calls, model_path, project_path
from medssl.client.records import Model, ModelChannels, ModelFact


class ModelCalls(Calls):
    """Models: what there is, their cards, their rules for channels."""

    def models(self, project: str) -> tuple[Model, ...]:
        """List the models, the newest first."""
        return self.connection.get(f"{project_path(project)}/models", each(record_of(Model)))

    def model(self, project: str, model: str = "latest") -> Model:
        """Return a model with its card."""
        return self.connection.get(model_path(project, model), record_of(Model))

    def compare_models(self, project: str, models: Sequence[str]) -> tuple[ModelFact, ...]:
        """Lay the cards of models side by side, one line a fact; ids, or 'latest'."""
        path = f"{project_path(project)}/models/comparison"
        return self.connection.get(path, each(fact_of), {"model": list(models)})

    def delete_model(self, project: str, model: str) -> None:
        """Delete a model and its files; what it proposed stays."""
        self.connection.change("DELETE", model_path(project, model), done)

    def channel_rules(self, project: str, model: str) -> ModelChannels:
        """Say by which rules the DICOM series of a study become a model's channels."""
        return self.connection.get(f"{model_path(project, model)}/channels", channels_of)

    def set_channel_rules(self, project: str, model: str, rules: Mapping[str, Any] | None) -> ModelChannels:
        """Give a model rules of its own for all runs from now on; with None, the usual ones count again."""
        path = f"{model_path(project, model)}/channels"
        if rules is None:
            return self.connection.change("DELETE", path, channels_of)
        return self.connection.change("PUT", path, channels_of, rules)
