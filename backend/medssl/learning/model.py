"""A trained model on disk: weights, plan and card in one folder, all of it readable without running code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from medssl.errors import ModelError
from medssl.learning.network import HeadName, Network
from medssl.learning.plan import Plan
from medssl.learning.planner import read_plan, write_plan
from medssl.storage import write_bytes, write_text

WEIGHTS, PLAN, CARD = "weights.safetensors", "plan.json", "card.json"


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
    validation_dice: dict[str, float] | None = Field(
        default=None,
        description="Mean Dice of each segment over the validation cases; None without such cases.",
    )


@dataclass(frozen=True)
class Model:
    """A network ready to predict, with what is needed to use it."""

    network: Network
    plan: Plan
    card: ModelCard


def save_model(folder: Path, network: Network, plan: Plan, card: ModelCard) -> None:
    """Write a model; the card comes last, so that a folder with a card is complete."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(tensors))
    write_plan(folder / PLAN, plan)
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")


def read_card(folder: Path) -> ModelCard:
    """Read a model's card.

    Raises:
        ModelError: no card, or one that is damaged.
    """
    path = folder / CARD
    try:
        return ModelCard.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} holds no complete model: {CARD} is missing.", "Choose another model."
        ) from error
    except (OSError, ValueError, ValidationError) as error:
        raise ModelError(
            f"The model card {path} cannot be read.", "Restore it, or train the model again."
        ) from error


def load_model(folder: Path, device: str | torch.device = "cpu") -> Model:
    """Load a model, ready to predict on `device`.

    Raises:
        ModelError: files missing or damaged, or weights that do not fit the plan.
    """
    card, plan = read_card(folder), read_plan(folder / PLAN)
    path = folder / WEIGHTS
    network = Network(plan.network, card.heads)
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise ModelError(
            f"The weights {path} are missing.", "Restore the file, or train the model again."
        ) from error
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"The weights {path} are damaged.", "Restore the file, or train the model again."
        ) from error
    except RuntimeError as error:
        raise ModelError(
            f"The weights {path} do not fit the plan beside them.", "Restore both files from one training."
        ) from error
    # Channels last is what convolutions on a CPU with few features are fastest with.
    network = network.to(device=device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stubs know 4D only
    return Model(network=network.eval(), plan=plan, card=card)
