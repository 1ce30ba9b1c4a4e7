"""Models: what there is, their cards, their rules for channels, and deleting them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Body, Query
from fastapi import Path as InAddress

from medssl.errors import ModelError
from medssl.inference.channels import ChannelRules, ModelChannels, model_channels, set_channel_rules
from medssl.learning.card import CardLine, compare_cards, read_card
from medssl.project import ModelRecord
from medssl.service.context import ProjectOf
from medssl.service.examples import CHANNEL_RULES
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


@router.get("/{model}/channels", response_model_exclude_none=True)
def channels(project: ProjectOf, model: ModelId) -> ModelChannels:
    """Say by which rules the DICOM series of a study become the model's channels."""
    return model_channels(project.model(model).folder)


@router.put("/{model}/channels", response_model_exclude_none=True)
def set_channels(
    project: ProjectOf, model: ModelId, wanted: Annotated[ChannelRules, Body(openapi_examples=CHANNEL_RULES)]
) -> ModelChannels:
    """Give the model rules of its own, for all runs from now on."""
    return set_channel_rules(project.model(model).folder, wanted)


@router.delete("/{model}/channels", response_model_exclude_none=True)
def reset_channels(project: ProjectOf, model: ModelId) -> ModelChannels:
    """Let the channels' names be looked for again."""
    return set_channel_rules(project.model(model).folder, None)


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
