"""What a model is made of when it travels: weights, plan and card, and a manifest with sizes and hashes.

Everything is checked before anything of it is used: names, sizes, SHA-256, the format's version, the shapes
of all tensors against the plan. Nothing in it is code, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

import medssl
from medssl.errors import ModelError
from medssl.exchange.archives import Source
from medssl.exchange.model_card import describe_model
from medssl.faults import first_fault
from medssl.inference.channels import CHANNELS_FILE, ChannelRules, write_channel_rules
from medssl.learning.model import CARD, PLAN, WEIGHTS, ModelCard, Weights, misfits
from medssl.learning.plan import Plan
from medssl.learning.planner import write_plan
from medssl.storage import write_bytes, write_text
from medssl.words import counted

MANIFEST = "manifest.json"
README = "MODEL_CARD.md"
FORMAT: Final = "MedSSL model"
VERSION: Final = 1
_LARGEST = {WEIGHTS: 4 << 30, PLAN: 16 << 20, CARD: 16 << 20, CHANNELS_FILE: 1 << 20, MANIFEST: 1 << 20}
TEACH = "A model trained here can learn from what other models segment: give that to 'medssl case annotate'."
_ASK = "Get the model again from where it was exported."


@dataclass(frozen=True)
class TravellingModel(Weights):
    """A model, and the rules by which it tells the DICOM series of a study apart, where it has any."""

    rules: ChannelRules | None = None


class _File(BaseModel):
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """Says what the other files are."""

    model_config = ConfigDict(extra="ignore")

    format: Literal["MedSSL model"] = FORMAT
    version: int = Field(default=VERSION, ge=1)
    medssl_version: str = medssl.__version__
    torch_version: str = str(torch.__version__)
    files: dict[str, _File]


def write_payload(folder: Path, model: TravellingModel) -> None:
    """Write a model's files, its card for people and the manifest into a folder."""
    write_bytes(folder / WEIGHTS, save(model.tensors))
    write_plan(folder / PLAN, model.plan)
    write_text(folder / CARD, model.card.model_dump_json(indent=2) + "\n")
    write_text(folder / README, describe_model(model.card, model.plan, model.rules))
    names = [WEIGHTS, PLAN, CARD]
    if model.rules is not None:
        write_channel_rules(folder, model.rules)
        names.append(CHANNELS_FILE)
    files = {name: _described((folder / name).read_bytes()) for name in names}
    write_text(folder / MANIFEST, Manifest(files=files).model_dump_json(indent=2) + "\n")


def read_payload(source: Source, folder: str = "") -> TravellingModel:
    """Read a model from files of unknown origin.

    Args:
        source: where.
        folder: in which folder of the source, with '/' at its end, or nothing.

    Raises:
        ModelError: something is missing, too large, changed, of a newer version or does not fit together.
    """
    manifest = _read_manifest(source, folder)
    names = [WEIGHTS, PLAN, CARD, *({CHANNELS_FILE} & manifest.files.keys())]
    content = {name: _read_checked(source, folder, name, manifest) for name in names}
    try:
        plan = Plan.model_validate_json(content[PLAN])
        card = ModelCard.model_validate_json(content[CARD])
        rules = read_rules(content.get(CHANNELS_FILE), plan)
        tensors = load(content[WEIGHTS])
    except ValidationError as error:
        raise ModelError(f"{source.path} is not a model: {first_fault(error)}.", _ASK) from error
    except SafetensorError as error:
        raise ModelError(f"The weights in {source.path} are damaged.", _ASK) from error
    check_weights(tensors, plan, card, source.path)
    return TravellingModel(tensors, plan, card, rules)


def read_rules(content: bytes | str | None, plan: Plan) -> ChannelRules | None:
    """Read rules for the channels of a plan, where there are any.

    Raises:
        ValidationError: they are no rules.
        UsageError: they are for other channels.
    """
    if content is None:
        return None
    rules = ChannelRules.model_validate_json(content)
    rules.check(plan.channel_names)
    return rules


def check_weights(tensors: Mapping[str, Tensor], plan: Plan, card: ModelCard, path: Path) -> None:
    """Compare the tensors with what the plan's network has, before any memory is taken for it.

    Raises:
        ModelError: tensors are missing, unknown, of another shape, or not numbers.
    """
    if differing := misfits(tensors, plan, card):
        raise ModelError(
            f"The weights in {path} do not fit its plan: {counted(len(differing), 'tensor')} "
            f"{'differs' if len(differing) == 1 else 'differ'}, such as {differing[0]}.",
            _ASK,
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ModelError(f"The weights in {path} hold numbers that are not finite.", _ASK)


def _read_manifest(source: Source, folder: str) -> Manifest:
    name = folder + MANIFEST
    if name not in source.names:
        raise ModelError(f"{source.path} is not a model that MedSSL exported.", _ASK)
    try:
        content = json.loads(source.read(name, _LARGEST[MANIFEST]))
        manifest = Manifest.model_validate(content)
    except (ValueError, RecursionError) as error:  # ValidationError, JSONDecodeError, UnicodeDecodeError
        raise ModelError(f"The manifest in {source.path} cannot be read.", _ASK) from error
    if manifest.version > VERSION:
        raise ModelError(
            f"A newer MedSSL ({manifest.medssl_version[:40]}) exported {source.path}.",
            "Update MedSSL to use it.",
        )
    return manifest


def _read_checked(source: Source, folder: str, name: str, manifest: Manifest) -> bytes:
    if name not in manifest.files or folder + name not in source.names:
        raise ModelError(f"{name} is missing in {source.path}.", _ASK)
    said = manifest.files[name]
    if said.bytes > _LARGEST[name]:
        raise ModelError(f"{name} in {source.path} is too large for a model.", _ASK)
    content = source.read(folder + name, said.bytes)
    if _described(content) != said:
        raise ModelError(f"{name} in {source.path} is not as it was exported.", _ASK)
    return content


def _described(content: bytes) -> _File:
    return _File(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
