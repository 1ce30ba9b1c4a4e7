"""A model's card: what a person should know before using it. Reading it needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medssl.errors import ModelError
from medssl.faults import first_fault
from medssl.learning.plan import HeadName

CARD = "card.json"

Millimetres: TypeAlias = tuple[float, float, float]


class TrainingScans(BaseModel):
    """What the scans were like that a model learned from.

    Lengths are in mm along the body: up-down, front-back and left-right.
    """

    model_config = ConfigDict(frozen=True)

    modalities: tuple[str, ...] = Field(description="DICOM's names, as MR; empty when nothing tells.")
    finest_mm: Millimetres = Field(description="The smallest distance of voxels.")
    coarsest_mm: Millimetres = Field(description="The largest distance of voxels.")
    smallest_mm: Millimetres = Field(description="The smallest size of a scan.")
    largest_mm: Millimetres = Field(description="The largest size of a scan.")
    planes: tuple[str, ...] = Field(description="Of the slices: axial, coronal, sagittal.")

    def describe(self) -> str:
        """Say it in a line."""
        voxels, sizes = _range(self.finest_mm, self.coarsest_mm), _range(self.smallest_mm, self.largest_mm)
        kinds = ", ".join((*self.modalities, *self.planes))
        along = "superior-inferior x anterior-posterior x left-right"
        return f"{kinds}; voxels of {voxels} mm, sizes of {sizes} mm ({along})"


class ModelCard(BaseModel):
    """What a person should know about a model before using it."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    method: str
    heads: tuple[HeadName, ...]
    created: str = Field(description="Date and time, ISO 8601 with the time zone.")
    medssl_version: str
    annotated_cases: int
    unannotated_cases: int
    steps: int
    seconds: float
    seed: int
    started_from: str | None = Field(default=None, description="Id of the model whose weights it began with.")
    begun_from: tuple[str, ...] = Field(
        default=(),
        description="Ids of all models that it began from, the nearest first, under all ids they had.",
    )
    validation_dice: dict[str, float] | None = Field(
        default=None,
        description="Mean Dice of each segment over the validation cases; None without such cases.",
    )
    scans: TrainingScans | None = Field(
        default=None, description="What the scans it learned from were like; None when it is not known."
    )
    licence: str = Field(default="", description="Under which the model may be used, such as 'CC-BY-4.0'.")
    intended_use: str = Field(default="", description="What it is for; empty means research on such scans.")
    limits: str = Field(default="", description="What it was not tested on or is known to do badly.")
    imported_from: str | None = Field(default=None, description="Id it had where it was exported.")


class CardLine(BaseModel):
    """One fact of several models' cards side by side."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Of the fact, such as 'steps' or 'validation dice, Liver'.")
    values: tuple[str, ...] = Field(description="What each card says; '-' where it says nothing.")
    differs: bool


def compare_cards(cards: Sequence[ModelCard]) -> tuple[CardLine, ...]:
    """Lay cards side by side, one line a fact, without the facts that no card has."""
    told = [_facts(card) for card in cards]
    names = dict.fromkeys(name for facts in told for name in facts)
    lines = []
    for name in names:
        values = tuple(facts.get(name, "-") for facts in told)
        lines.append(CardLine(name=name, values=values, differs=len(set(values)) > 1))
    return tuple(lines)


def _facts(card: ModelCard) -> dict[str, str]:
    facts: dict[str, str] = {}
    for name, value in card.model_dump(mode="json").items():
        title = name.replace("_", " ")
        if isinstance(value, dict):
            facts |= {f"{title}, {key}": _text(each) for key, each in value.items()}
        elif value not in (None, "", []):
            facts[title] = _text(value)
    return facts


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(_text, value)) if isinstance(value, (list, tuple)) else str(value)


def read_card(folder: Path) -> ModelCard:
    """Read a model's card.

    Raises:
        ModelError: no card, or one that is damaged.
    """
    path = folder / CARD
    try:
        return ModelCard.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} holds no complete model: {CARD} is missing.", "Choose another model."
        ) from error
    except ValidationError as error:
        raise ModelError(
            f"The model card {path} is damaged: {first_fault(error)}.",
            "Correct it, or copy it again from where MedSSL wrote it.",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"The model card {path} cannot be read.", "Restore it, or train the model again."
        ) from error


def _range(low: Millimetres, high: Millimetres) -> str:
    first, last = (" x ".join(f"{length:.3g}" for length in lengths) for lengths in (low, high))
    return first if first == last else f"{first} to {last}"
