"""Models for the tests: a plan, a card and a network so small that nothing needs to be trained."""

from __future__ import annotations

from collections.abc import Sequence

from medssl.labels import LabelSchema
from medssl.learning.model import ModelCard, save_model
from medssl.learning.network import HeadName, Network
from medssl.learning.plan import NetworkShape, Normalisation, Plan
from medssl.project import ModelRecord, Project

PERCENTILES = Normalisation(kind="percentile", low=0.5, high=99.5)


def small_plan(
    schema: LabelSchema,
    channel_names: Sequence[str] = ("image",),
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    patch_size: tuple[int, int, int] = (16, 16, 16),
    normalisation: Normalisation = PERCENTILES,
    features: tuple[int, ...] = (2, 4),
) -> Plan:
    """Make the plan of a network that halves the patch once for each feature count but the first."""
    levels = len(features)
    return Plan(
        label_schema=schema,
        channel_names=tuple(channel_names),
        spacing_mm=spacing_mm,
        normalisation=(normalisation,) * len(channel_names),
        patch_size=patch_size,
        batch_size=2,
        network=NetworkShape(
            channels=len(channel_names),
            classes=schema.class_count,
            features=features,
            strides=((1, 1, 1), *((2, 2, 2),) * (levels - 1)),
            kernels=((3, 3, 3),) * levels,
            convolutions=(1,) * levels,
        ),
        level_set_mm=(5.0,) * len(schema.segments),
    )


def small_card(
    model_id: str,
    name: str = "Small",
    method: str = "supervised",
    heads: tuple[HeadName, ...] = ("segmentation",),
) -> ModelCard:
    """Make the card of a training of one step; `model_copy` changes what a test is about."""
    return ModelCard(
        id=model_id,
        name=name,
        method=method,
        heads=heads,
        created="2026-01-01T00:00:00+00:00",
        medssl_version="0",
        annotated_cases=1,
        unannotated_cases=0,
        steps=1,
        seconds=1.0,
        seed=0,
    )


def add_untrained_model(project: Project) -> ModelRecord:
    """Give a project a model that has learned nothing, and segments made-up scans in a moment."""
    model_id, folder = project.new_model_folder()
    plan, card = small_plan(project.schema, project.channel_names, (3.0, 3.0, 3.0)), small_card(model_id)
    save_model(folder, Network(plan.network), plan, card)
    return project.register_model(model_id, name=card.name, method=card.method)
