"""A trained model on disk: weights, plan and card in one folder, all of it readable without running code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from medssl.errors import ModelError
from medssl.learning.card import CARD, ModelCard, read_card
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.planner import read_plan, write_plan
from medssl.storage import write_bytes, write_text
from medssl.words import counted

__all__ = [
    "CARD",
    "PLAN",
    "WEIGHTS",
    "Model",
    "ModelCard",
    "Weights",
    "load_model",
    "misfits",
    "read_card",
    "read_weights",
    "save_model",
]

WEIGHTS, PLAN = "weights.safetensors", "plan.json"


@dataclass(frozen=True)
class Model:
    """A network ready to predict, with what is needed to use it."""

    network: Network
    plan: Plan
    card: ModelCard


@dataclass(frozen=True)
class Weights:
    """What a model has learned, whether it can segment already or was only pretrained.

    Attributes:
        tensors: by the names that they have in a `Network`; a pretrained model has those of the encoder.
        plan: how it sees data.
        card: without heads for a pretrained model.
    """

    tensors: dict[str, Tensor]
    plan: Plan
    card: ModelCard


def save_model(folder: Path, network: nn.Module, plan: Plan, card: ModelCard) -> None:
    """Write a model, a `Network` or parts of one; the card comes last: a folder with a card is complete."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(tensors))
    write_plan(folder / PLAN, plan)
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")


def read_weights(folder: Path) -> Weights:
    """Read a model, to begin a training with.

    Raises:
        ModelError: files missing or damaged, or weights that do not fit the plan.
    """
    card, plan = read_card(folder), read_plan(folder / PLAN)
    path = folder / WEIGHTS
    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise ModelError(
            f"The weights {path} are missing.", "Restore the file, or train the model again."
        ) from error
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"The weights {path} are damaged.", "Restore the file, or train the model again."
        ) from error
    if differing := misfits(tensors, plan, card):
        raise ModelError(
            f"The weights {path} do not fit the plan beside them: {counted(len(differing), 'tensor')} "
            f"{'differs' if len(differing) == 1 else 'differ'}, such as {differing[0]}.",
            f"Take back what was changed in {PLAN}, or restore both files from one training.",
        )
    return Weights(tensors, plan, card)


def misfits(tensors: Mapping[str, Tensor], plan: Plan, card: ModelCard) -> list[str]:
    """Names of the tensors that the plan's network lacks, or has in another size; no memory is taken for it.

    Those that a model of the card's heads would have to have, and has not, count as well.
    """
    if sum(plan.network.convolutions) > len(tensors):
        return ["network.convolutions"]
    try:
        with torch.device("meta"):
            network = Network(plan.network, card.heads)
    except (RuntimeError, OverflowError):  # larger than any memory
        return ["network.features"]
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    # A pretrained model has a part of a network only.
    compared = wanted.keys() | found.keys() if card.heads else found.keys()
    return sorted(name for name in compared if wanted.get(name) != found.get(name))


def load_model(folder: Path, device: str | torch.device = "cpu") -> Model:
    """Load a model, ready to predict on `device`.

    Raises:
        ModelError: files missing or damaged, weights that do not fit the plan, or a pretrained model.
    """
    weights = read_weights(folder)
    plan, card = weights.plan, weights.card
    if not card.heads:
        raise ModelError(
            f"The model {card.name} in {folder} is pretrained and cannot segment yet.",
            "Train a model that begins with it, and use that one.",
        )
    network = Network(plan.network, card.heads)
    network.load_state_dict(weights.tensors)
    # Channels last is what convolutions on a CPU with few features are fastest with.
    network = network.to(device=device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stubs know 4D only
    return Model(network=network.eval(), plan=plan, card=card)
