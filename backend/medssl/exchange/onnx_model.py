"""A model as ONNX: one file with the network, and its plan and card as metadata.

The input is `image`, `(batch, channels, *patch)`: intensities normalised, axes and voxel size as the plan
says; the output is `logits`, `(batch, classes, *patch)`. The batch may have any size. What is written is run
with onnxruntime and compared with the network before it gets its name.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from medssl.errors import MissingPackageError, ModelError
from medssl.exchange.bundle import segmenting
from medssl.exchange.bundle_parts import SegmentationNetwork
from medssl.exchange.payload import TEACH, TravellingModel, check_weights, read_rules
from medssl.learning.model import ModelCard
from medssl.learning.plan import Plan
from medssl.storage import atomic_path

if TYPE_CHECKING:
    import onnx

_PLAN, _CARD, _RULES = "medssl.plan", "medssl.card", "medssl.channels"  # keys of the metadata
_MOST_BYTES = 2 << 30  # what a file of this format can hold
_TOLERANCE = 1e-3  # of logits, whose spread is above 1


def write_onnx(target: Path, model: TravellingModel) -> float:
    """Write the segmentation head of a model as ONNX, atomically.

    Returns:
        The largest difference between its logits and the network's, on random input.

    Raises:
        MissingPackageError: onnx, onnxscript or onnxruntime is not installed.
        ModelError: onnxruntime computes something else.
    """
    plan = model.plan
    network = SegmentationNetwork(**plan.network.model_dump()).eval()
    network.load_state_dict(segmenting(model.tensors))
    image = torch.randn(
        (2, plan.network.channels, *plan.patch_size), generator=torch.Generator().manual_seed(0)
    )
    with atomic_path(target) as temporary:
        _export(network, image, temporary)
        _add_metadata(temporary, model)
        difference = _difference(temporary, network, image)
        if not difference <= _TOLERANCE:
            raise ModelError(
                f"The ONNX file computes logits that differ by {difference:.2g} from the model's.",
                "Export the model as a zip or as a MONAI bundle, and report this.",
            )
    return difference


def read_onnx(path: Path) -> TravellingModel:
    """Read a model back from an ONNX file that `write_onnx` wrote; its network is not run.

    Raises:
        MissingPackageError: onnx is not installed.
        ModelError: the file is damaged, or other software made it.
    """
    with _needed():
        import onnx
        from google.protobuf.message import DecodeError
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{path} is larger than an ONNX file can be.", "Choose another file.")
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except DecodeError as error:
        raise ModelError(f"{path} is not an ONNX file.", "Export the model again.") from error
    facts = {entry.key: entry.value for entry in model.metadata_props}
    if not {_PLAN, _CARD} <= facts.keys():
        raise ModelError(
            f"{path} was not exported by MedSSL: it says neither how scans must be prepared for it nor what "
            "its numbers mean.",
            f"Segment with the program that it is for. {TEACH}",
        )
    try:
        plan, card = Plan.model_validate_json(facts[_PLAN]), ModelCard.model_validate_json(facts[_CARD])
        rules, tensors = read_rules(facts.get(_RULES), plan), _tensors(model)
    except (ValidationError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is damaged.", "Export the model again.") from error
    check_weights(tensors, plan, card, path)
    return TravellingModel(tensors, plan, card, rules)


def _export(network: nn.Module, image: Tensor, path: Path) -> None:
    # The exporter tells a person on standard output and by warnings what only its developers can use.
    with _needed(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), _quiet():
        import onnxscript  # noqa: F401 - the exporter imports it late, and its own message names no remedy

        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (image,),
            path,
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes={"x": {0: torch.export.Dim("batch", min=1)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _add_metadata(path: Path, model: TravellingModel) -> None:
    import onnx

    written = onnx.load(path)
    alone = model.card.model_copy(update={"heads": ("segmentation",)})
    facts = {
        _PLAN: model.plan.model_dump_json(),
        _CARD: alone.model_dump_json(),
        "description": model.card.name,
    }
    if model.rules is not None:
        facts[_RULES] = model.rules.model_dump_json(exclude_none=True)
    onnx.helper.set_model_props(written, facts)
    onnx.checker.check_model(written)
    onnx.save(written, path)


def _difference(path: Path, network: nn.Module, image: Tensor) -> float:
    with _needed():
        import onnxruntime
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    worst = 0.0
    with torch.inference_mode():
        for part in (image, image[:1]):  # the batch may have any size
            found = session.run(None, {"image": part.numpy()})[0]
            worst = max(worst, float(np.abs(found - network(part).numpy()).max()))
    return worst


def _tensors(model: onnx.ModelProto) -> dict[str, Tensor]:
    """The network's own parameters; the exporter keeps their names."""
    from onnx import numpy_helper

    wanted = ("encoder.", "decoder.", "heads.")
    found = {}
    for initializer in model.graph.initializer:
        if initializer.name.startswith(wanted):
            if initializer.data_location != initializer.DEFAULT:
                raise ValueError("its weights are in another file")
            found[initializer.name] = torch.from_numpy(numpy_helper.to_array(initializer).copy())
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@contextlib.contextmanager
def _needed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingPackageError(
            f"ONNX files need the package {error.name}, which is not installed.",
            "Install it with: pip install 'medssl[onnx]'.",
        ) from error
