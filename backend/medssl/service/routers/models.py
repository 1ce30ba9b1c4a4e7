"""Models: what there is, their cards, and deleting them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query
from fastapi import Path as InAddress

from medssl.errors import ModelError
from medssl.learning.card import CardLine, compare_cards, read_card
from medssl.project import ModelRecord
from medssl.service.context import ProjectOf
from medssl.service.views import Done, ModelView

router = APIRouter(prefix="/v1/projects/{project}/models", tags=["models"])
ModelId: TypeAlias = Annotated[str, InAddress(description="Id of a model, or 'latest'.", max_length=100)]


@router.get("")
def list_models(project: ProjectOf) -> list[ModelView]:
    """List the models, the newest first."""
    return [_view(record) for record in project.models()]


@router.get("/comparison")
def compare(
    project: ProjectOf,
    model: Annotated[
        list[Annotated[str, Query(max_length=100)]],
        Query(description="Ids; give it several times.", min_length=1, max_length=20),
    ],
) -> list[CardLine]:
    """Lay the cards of several models side by side."""
    return list(compare_cards([read_card(project.model(each).folder) for each in model]))


@router.get("/{model}")
def one_model(project: ProjectOf, model: ModelId) -> ModelView:
    """Return a model with its card."""
    return _view(project.model(model))


@router.delete("/{model}")
def delete_model(project: ProjectOf, model: ModelId) -> Done:
    """Delete a model and its files; what it proposed stays."""
    project.delete_model(model)
    return Done()


def _view(record: ModelRecord) -> ModelView:
    try:
        card, problem = read_card(record.folder), ""
    except ModelError as error:
        card, problem = None, str(error)
    size = sum(path.stat().st_size for path in record.folder.rglob("*") if path.is_file())
    return ModelView(
        id=record.id,
        name=record.name,
        method=record.method,
        created=record.created,
        folder=record.folder,
        can_segment=record.can_segment,
        size_bytes=size,
        card=card,
        problem=problem,
    )
