"""Models leave and enter: a plain zip, a MONAI bundle, ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medssl.access import is_file, is_folder
from medssl.errors import ModelError, UsageError
from medssl.exchange.archives import opened_source, pack
from medssl.exchange.bundle import INSIDE, write_bundle
from medssl.exchange.formats import ModelFormat
from medssl.exchange.onnx_model import read_onnx, write_onnx
from medssl.exchange.payload import MANIFEST, TEACH, TravellingModel, read_payload, write_payload
from medssl.inference.channels import channel_rules_of
from medssl.learning.model import read_weights
from medssl.storage import publish, staging_folder


@dataclass(frozen=True)
class Statement:
    """What the person who exports a model says about it; what is empty stays as the card has it."""

    licence: str = ""
    intended_use: str = ""
    limits: str = ""


def export_model(model: Path, target: Path, file_format: ModelFormat, statement: Statement) -> None:
    """Write a model for others.

    Args:
        model: the model's folder.
        target: the file; a MONAI bundle is a folder, or a zip of it when the name ends in `.zip`. Nothing may
            be there.
        file_format: as what.
        statement: for the card.

    Raises:
        ModelError: the model is damaged, or cannot segment yet and the format is for segmenting.
        MissingPackageError: ONNX needs packages that are not installed.
        UsageError: the name does not end as the format's names do, or the rules beside the model are wrong.
        StorageError: something is there, the disk is full, the folder may not be written.
    """
    _check_name(target, file_format)
    found = read_weights(model)
    card = found.card.model_copy(update={name: text for name, text in vars(statement).items() if text})
    rules = channel_rules_of(model)
    if rules is not None:
        rules.check(found.plan.channel_names)
    leaving = TravellingModel(found.tensors, found.plan, card, rules)
    if file_format != "zip" and not card.heads:
        raise ModelError(
            f"The model {card.name} is pretrained and cannot segment yet.",
            "Export it as a zip, with which others can begin a training.",
        )
    with staging_folder(target.parent) as staging:
        staged = staging / "model"
        if file_format == "onnx":
            staged = staging / "model.onnx"
            write_onnx(staged, leaving)
        else:
            content = staging / "content"
            if file_format == "monai":
                write_bundle(content, leaving)
            else:
                write_payload(content, leaving)
            staged = content
            if target.suffix.lower() == ".zip":
                staged = staging / "model.zip"
                pack(content, staged, target.stem if file_format == "monai" else "")
        publish(staged, target)


def read_model_file(path: Path) -> TravellingModel:
    """Read a model that MedSSL exported, in any of the formats; nothing in it is run or unpickled.

    Raises:
        ModelError: it is no such model, may not be read, is damaged, or a newer MedSSL wrote it.
        UsageError: its rules are for other channels than it has.
        MissingPackageError: an ONNX file, and onnx is not installed.
    """
    if not (is_file(path, ModelError) or is_folder(path, ModelError)):
        raise ModelError(f"{path} does not exist.", "Check the path.")
    if path.suffix.lower() == ".onnx":
        return read_onnx(path)
    with opened_source(path) as source:
        folders = sorted(
            name.removesuffix(MANIFEST) for name in source.names if name.endswith(f"/{MANIFEST}")
        )
        if MANIFEST in source.names:
            return read_payload(source)
        inside = [folder for folder in folders if folder.endswith(INSIDE) and folder.count("/") <= 2]
        if len(inside) == 1:
            return read_payload(source, inside[0])
        if any(name.endswith("configs/metadata.json") for name in source.names):
            raise ModelError(
                f"{path} is a MONAI bundle that MedSSL did not export. Its network, and how it prepares "
                "scans, are code, which MedSSL does not run.",
                f"Segment with 'python -m monai.bundle run'. {TEACH}",
            )
    raise ModelError(
        f"{path} is not a model that MedSSL exported.", f"Choose a zip, bundle or ONNX file of it. {TEACH}"
    )


def _check_name(target: Path, file_format: ModelFormat) -> None:
    suffix = target.suffix.lower()
    if file_format in ("zip", "onnx") and suffix != f".{file_format}":
        raise UsageError(
            f"The name {target.name} does not end in .{file_format}.", f"Call it {target.name}.{file_format}."
        )
