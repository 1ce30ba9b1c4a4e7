"""The models of a project: a folder each, and a row that says the folder is complete."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from medssl.errors import NotFoundError, ProjectError, UsageError
from medssl.project import tables
from medssl.project.records import ModelRecord
from medssl.project.store import Store, folder_name, new_id, now
from medssl.storage import removal, remove_partial_files, storage_error

LATEST = "latest"
"""Names the newest model that can segment, wherever a model's id is asked for."""


def new_model_folder(store: Store) -> tuple[str, Path]:
    """Make an empty folder for a model; see `Project.new_model_folder`."""
    models = store.folder / "models"
    while True:
        model_id = new_id()
        folder = models / model_id
        try:
            models.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError as error:
            if not models.is_dir():
                raise storage_error(error, folder) from error
        except OSError as error:
            raise storage_error(error, folder) from error
        else:
            remove_partial_files(models)
            return model_id, folder


def register_model(store: Store, model_id: str, name: str, method: str, can_segment: bool) -> ModelRecord:
    """Let the project know a model whose folder is complete; see `Project.register_model`."""
    if folder_name(model_id) != model_id:
        raise UsageError(f"A model cannot have the id '{model_id}'.", "Use letters, digits and hyphens.")
    if not _folder_of(store, model_id).is_dir():
        raise ProjectError(
            f"There is no model folder {_folder_of(store, model_id)}.", "Write the model there first."
        )
    with store.database.writing() as session:
        if session.get(tables.Model, model_id) is not None:
            raise ProjectError(f"The project has a model '{model_id}' already.", "Give it another id.")
        row = tables.Model(
            id=model_id, name=name or model_id, method=method, created=now(), can_segment=can_segment
        )
        session.add(row)
        session.flush()
        return _to_record(store, row)


def list_models(store: Store) -> list[ModelRecord]:
    """Return all models, the newest first."""
    with store.database.reading() as session:
        rows = session.scalars(
            select(tables.Model).order_by(tables.Model.created.desc(), tables.Model.id.desc())
        )
        return [_to_record(store, row) for row in rows]


def find_model(store: Store, model_id: str) -> ModelRecord:
    """Return one model, or the newest that can segment for 'latest'; see `Project.model`."""
    if model_id == LATEST:
        models = [model for model in list_models(store) if model.can_segment]
        if not models:
            raise NotFoundError(f"The project {store.folder} has no model yet.", "Train one first.")
        return models[0]
    with store.database.reading() as session:
        return _to_record(store, _find(session, model_id))


def delete_model(store: Store, model_id: str) -> None:
    """Forget a model and remove its files; what it proposed stays, with its id as provenance."""
    remove_partial_files(store.folder / "models")
    with ExitStack() as removing, store.database.writing() as session:
        session.delete(_find(session, model_id))
        session.flush()
        # Before the row is gone for good: while files are held it stays, and can be deleted again.
        removing.enter_context(removal(_folder_of(store, model_id)))


def _find(session: Session, model_id: str) -> tables.Model:
    row = session.get(tables.Model, model_id)
    if row is None:
        raise NotFoundError(
            f"The project has no model '{model_id}'.",
            "List the models to see their ids; a model from elsewhere is imported first.",
        )
    return row


def _folder_of(store: Store, model_id: str) -> Path:
    return store.folder / "models" / model_id


def _to_record(store: Store, row: tables.Model) -> ModelRecord:
    return ModelRecord(row.id, row.name, row.method, _folder_of(store, row.id), row.created, row.can_segment)
