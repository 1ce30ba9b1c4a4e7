"""Models, and files that travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medssl.client.answers import folder_of, record, upload_of
from medssl.client.calls import Calls, as_text, model_path, one_part, project_path
from medssl.client.records import Folder, Model, ModelChannels, ModelFact, ResultFolder, Upload
from medssl.client.transfers import receive, send


class ModelCalls(Calls):
    """Models, and files that travel."""

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

    def upload(
        self, file: str | Path, *, folder: ResultFolder | None = None, place: str | None = None
    ) -> Upload:
        """Send a volume, or the zip of a model, to the engine's computer, where it stays for a day.

        The images of a DICOM series go into one folder, each at a place that ends in '.dcm'.

        Args:
            file: the file.
            folder: from `make_folder`, for files that belong together; they go when it is removed.
            place: where in that folder, such as 'sub/scan.nii.gz'; the file's own name when left out.
        """
        where = None if folder is None else folder.id
        return upload_of(send(self.connection, Path(file), where, place))

    def make_folder(self) -> ResultFolder:
        """Make a folder for uploads that belong together, or for results to download; it stays for a day."""
        return record(ResultFolder, self.connection.change("POST", "/v1/uploads/folder"))

    def remove_upload(self, upload_id: str) -> None:
        """Remove an uploaded file before its day is over."""
        self.connection.change("DELETE", f"/v1/uploads/{one_part(upload_id)}")

    def download(self, path: str | Path, target: str | Path) -> Path:
        """Download a result: a segmentation, a table or a report."""
        return receive(self.connection, "/v1/files", {"path": as_text(path)}, Path(target))

    def folder(self, folder: str | Path | None = None, *, offset: int = 0) -> Folder:
        """Look into a folder of the engine's computer; without one, at its roots.

        An answer that is not `complete` goes on at the `offset` after its entries.
        """
        query = {"folder": as_text(folder), "offset": offset}
        return folder_of(self.connection.get("/v1/folders", query))


def _channels(found: Mapping[str, Any]) -> ModelChannels:
    return record(ModelChannels, found, channels=tuple(found["channels"]))
