"""A model as a MONAI bundle: it runs with `monai.bundle` alone, and so in MONAI Label.

Sources: the MONAI Bundle Specification (docs.monai.io) for folders and keys; MONAI Label's `BundleInferTask`
for which of them it reads. The network is a module inside the bundle; its weights are a plain state dict. The
folder `medssl` in the bundle holds the whole model, with all heads, to be imported again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from torch import Tensor

import medssl
from medssl.exchange import bundle_parts
from medssl.exchange.model_card import describe_model
from medssl.exchange.payload import TravellingModel, write_payload
from medssl.exchange.standalone import standalone_source
from medssl.imaging.canonical import MIRROR_ARRAY_AXIS
from medssl.labels import BACKGROUND
from medssl.learning import intensities, network, resampling
from medssl.learning.model import ModelCard
from medssl.learning.plan import Plan
from medssl.storage import write_bytes, write_text

INSIDE = "medssl/"  # where a bundle holds the model itself

_SCRIPTS = {
    network: "network",
    intensities: "intensities",
    resampling: "resampling",
    bundle_parts: "parts",
}
_SPL = "SPL"  # axes that run upwards, to the back and to the left: our canonical orientation
_GENERATIONS = "0.1.0"  # of the bundle itself, as the specification wants it

_RUN = """## Running it

In this folder, with `monai`, `nibabel`, `scipy`, `pytorch-ignite` and `fire` installed:

    python -m monai.bundle run --config_file configs/inference.json --dataset_dir /folder/with/scans \\
        --output_dir /folder/for/segmentations

Scans are NIfTI files. The channels of one scan are files that end in `_0000.nii.gz`, `_0001.nii.gz`, ... when
the model has several. Segmentations have the grid of their scan. In MONAI Label, put this folder into the
folder `model` of the `monaibundle` app and start it with `--conf models` and this folder's name; without a
network also with `--conf zoo_source local`, for it asks its model zoo first. There, one 4D file holds the
channels of a scan.
"""


def write_bundle(folder: Path, model: TravellingModel) -> None:
    """Write a bundle into a folder that is not there yet or empty."""
    plan, card = model.plan, model.card
    write_payload(folder / INSIDE, model)
    _write_json(folder / "configs" / "metadata.json", _metadata(plan, card))
    _write_json(folder / "configs" / "inference.json", _inference(plan))
    write_text(folder / "docs" / "README.md", f"{describe_model(card, plan, model.rules)}\n{_RUN}")
    license_text = card.licence or "The person who exported this model did not say under which licence it is."
    write_text(folder / "LICENSE", f"{license_text}\n")
    write_text(folder / "scripts" / "__init__.py", "")
    beside = {module.__name__: file for module, file in _SCRIPTS.items()}
    for module, file in _SCRIPTS.items():
        write_text(folder / "scripts" / f"{file}.py", standalone_source(module, beside))
    weights = folder / "models" / "model.pt"
    weights.parent.mkdir(parents=True, exist_ok=True)
    torch.save(segmenting(model.tensors), weights)


def segmenting(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the heads that only training needs."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith("heads.") or name.startswith("heads.segmentation.")
    }


def _inference(plan: Plan) -> dict[str, Any]:
    several = len(plan.channel_names) > 1
    return {
        "imports": ["$import glob", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/scans'",
        "output_dir": "$@bundle_root + '/segmentations'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "files": _several_channels(len(plan.channel_names)) if several else _ONE_CHANNEL,
        "network_def": {
            "_target_": "scripts.parts.SegmentationNetwork",
            **plan.network.model_dump(mode="json"),
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": _preprocessing(plan)},
        "dataset": {"_target_": "Dataset", "data": "@files", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {
            "_target_": "scripts.parts.ProbabilityInferer",
            "roi_size": list(plan.patch_size),
            "mirror": [MIRROR_ARRAY_AXIS[axis] for axis in plan.label_schema.mirror_axes],
        },
        "postprocessing": {"_target_": "Compose", "transforms": _postprocessing(plan)},
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


_ONE_CHANNEL = "$[{'image': name} for name in sorted(glob.glob(@dataset_dir + '/*.nii.gz'))]"


def _several_channels(count: int) -> str:
    channels = f"[name[:-11] + '%04d.nii.gz' % channel for channel in range({count})]"
    return f"$[{{'image': {channels}}} for name in sorted(glob.glob(@dataset_dir + '/*_0000.nii.gz'))]"


def _preprocessing(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"_target_": "LoadImaged", "keys": ["image"]},
        {"_target_": "EnsureChannelFirstd", "keys": ["image"]},
        {
            "_target_": "scripts.parts.Normalised",
            "keys": ["image"],
            "channels": [normalisation.model_dump(mode="json") for normalisation in plan.normalisation],
        },
        {"_target_": "Orientationd", "keys": ["image"], "axcodes": _SPL, "labels": None},
        {"_target_": "scripts.parts.Resampled", "keys": ["image"], "spacing_mm": list(plan.spacing_mm)},
        {"_target_": "EnsureTyped", "keys": ["image"], "dtype": "$torch.float32"},
    ]


def _postprocessing(plan: Plan) -> list[dict[str, Any]]:
    schema = plan.label_schema
    return [
        {
            "_target_": "scripts.parts.OntoScan",
            "keys": ["pred"],
            "image_key": "image",
            "values": [BACKGROUND, *schema.values],
            "largest": [segment.value for segment in schema.segments if segment.largest_component],
        },
        {
            "_target_": "SaveImaged",
            "keys": ["pred"],
            "meta_keys": ["pred_meta_dict"],
            "output_dir": "@output_dir",
            "output_postfix": "seg",
            "output_dtype": "$__import__('numpy').uint8",
            "separate_folder": False,
            "resample": False,
        },
    ]


def _metadata(plan: Plan, card: ModelCard) -> dict[str, Any]:
    schema = plan.label_schema
    # MONAI Label takes the numbers for values of the label map, which the postprocessing makes of classes.
    names = {BACKGROUND: "background", **dict(zip(schema.values, schema.names, strict=True))}
    image = {
        "type": "image",
        "format": "magnitude",
        "num_channels": len(plan.channel_names),
        "spatial_shape": list(plan.patch_size),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": True,
        "channel_def": {str(index): name for index, name in enumerate(plan.channel_names)},
    }
    prediction = {
        "type": "image",
        "format": "segmentation",
        "num_channels": len(names),
        "spatial_shape": list(plan.patch_size),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": True,
        "channel_def": {str(value): name for value, name in names.items()},
    }
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": _GENERATIONS,
        "changelog": {_GENERATIONS: f"exported by MedSSL {medssl.__version__}"},
        "monai_version": monai.__version__,
        "pytorch_version": str(torch.__version__).split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"nibabel": "5.3", "pytorch-ignite": "0.5", "scipy": "1.14"},
        "name": card.name,
        "task": f"Segmentation of {', '.join(schema.names)}",
        "description": f"{card.name}, a model for volumes, made by MedSSL {card.medssl_version}.",
        "authors": "Whoever exported this bundle",
        "copyright": card.licence or "Not stated",
        "intended_use": card.intended_use or "Research; not a medical device",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": prediction}},
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())
