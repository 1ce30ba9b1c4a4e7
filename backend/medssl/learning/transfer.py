"""Beginning a training with what another model has learned, and saying exactly what that was."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from medssl.errors import ModelError
from medssl.events import Monitor
from medssl.learning.model import Weights
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.words import counted

LEAST_SHARE = 0.9  # of a level's parameters: with fewer, those after it do not see what they learned to see
_LEVEL = re.compile(r"encoder\.levels\.\d+")
_PARTS = ("encoder", "decoder", "heads")
_OF_CLASSES = ("heads.segmentation.", "heads.level_set.")  # have one output for each segment


@dataclass(frozen=True)
class Left:
    """A tensor of the new network that keeps its random start, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Transfer:
    """What a network took over from a model.

    Attributes:
        model: the model's name.
        loaded: names of the tensors that are the model's now.
        left: those that are not.
        sizes: how many parameters each tensor of the network has.
        differences: sentences on how the model and the training differ.
    """

    model: str
    loaded: tuple[str, ...]
    left: tuple[Left, ...]
    sizes: Mapping[str, int]
    differences: tuple[str, ...]

    @property
    def segments(self) -> bool:
        """Whether the network can segment already, because decoder and head came along."""
        return not any(left.name.startswith(("decoder.", "heads.segmentation.")) for left in self.left)

    @property
    def encoder_share(self) -> float:
        """Part of the parameters that was loaded of the encoder's level with the least, 0..1.

        Of the whole encoder it would hide that the finest level is missing, which has few parameters.
        """
        found = (_LEVEL.match(name) for name in self.sizes)
        return min(self._share(level) for level in {each.group() for each in found if each})

    @property
    def counts(self) -> str:
        """How many tensors and what part of the parameters of each part of the network were loaded."""
        tensors = ", ".join("{} {} of {}".format(part, *self._counts(part)) for part in _PARTS)
        parameters = ", ".join(f"{part} {100 * self._share(part):.0f} %" for part in _PARTS)
        return f"tensors loaded: {tensors}; parameters: {parameters}"

    def report(self, monitor: Monitor) -> None:
        """Tell which tensors were loaded and which not."""
        monitor.log(f"Began with the model {self.model}; {self.counts}.")
        if self.loaded and self.left:  # when all came along, the counts say it
            monitor.log(f"Loaded: {', '.join(self.loaded)}.")
        for reason, names in self._by_reason():
            monitor.log(f"Not loaded, because {reason}: {', '.join(names)}.")
        for difference in self.differences:
            monitor.log(difference, "warning")

    def _counts(self, part: str) -> tuple[int, int]:
        loaded = sum(name.startswith(f"{part}.") for name in self.loaded)
        return loaded, loaded + sum(left.name.startswith(f"{part}.") for left in self.left)

    def _share(self, part: str) -> float:
        sizes = {name: size for name, size in self.sizes.items() if name.startswith(f"{part}.")}
        return sum(sizes.get(name, 0) for name in self.loaded) / sum(sizes.values())

    def _by_reason(self) -> Iterator[tuple[str, list[str]]]:
        names = defaultdict(list)
        for left in self.left:
            names[left.reason].append(left.name)
        yield from names.items()


def transfer(source: Weights, network: Network, plan: Plan, *, adapt_channels: bool = False) -> Transfer:
    """Copy into `network` every tensor of a model that has the same name and shape and means the same.

    Heads with an output for each segment are copied only where the segments are the same.

    Args:
        source: the model's weights, plan and card.
        network: made after `plan`.
        plan: of the training to come.
        adapt_channels: where the model takes another number of channels, begin each channel of the first
            convolution with the mean of the model's, so that responses keep their size.

    Raises:
        ModelError: another number of channels without `adapt_channels`, or less than 90 % of the parameters
            of a level of the encoder fit; the message says what differs.
    """
    differences = (*differences_between(source.plan, plan), *_other_names(source, plan))
    _check_channels(source, plan, adapt_channels)
    own = network.state_dict()
    first_convolution = f"encoder.{next(iter(network.encoder.state_dict()))}"
    same_segments = source.plan.label_schema.values == plan.label_schema.values
    found: dict[str, Tensor] = {}
    left = []
    for name, tensor in own.items():
        theirs = source.tensors.get(name)
        if theirs is not None and name == first_convolution and theirs.shape != tensor.shape:
            theirs = _with_channels(theirs, tensor.shape[1])
        if theirs is None:
            left.append(Left(name, "the model has none"))
        elif name.startswith(_OF_CLASSES) and not same_segments:
            left.append(Left(name, "the model has learned other segments"))
        elif theirs.shape != tensor.shape:
            left.append(
                Left(name, f"it is {_size(theirs.shape)} in the model and {_size(tensor.shape)} here")
            )
        else:
            found[name] = theirs
    sizes = {name: tensor.numel() for name, tensor in own.items()}
    result = Transfer(source.card.name, tuple(found), tuple(left), sizes, differences)
    if result.encoder_share < LEAST_SHARE:
        raise ModelError(
            f"The encoder of the model {source.card.name} does not fit this training: of one of its levels, "
            f"only {100 * result.encoder_share:.0f} % of the parameters do ({result.counts}). "
            f"{' '.join(differences)}".strip(),
            "Begin with a model of the same network, or train from the start.",
        )
    network.load_state_dict({**own, **found})
    return result


def plan_after(source: Plan, own: Plan) -> Plan:
    """The plan of a training that begins with a model: its data's own, seen as the model has learned to see.

    Spacing, patch and network are the model's, so that every tensor fits and means the same; segments and
    channels are those of the data.

    Args:
        source: the model's plan.
        own: made for the data at the spacing of `source`.
    """
    network = source.network.model_copy(
        update={"channels": own.network.channels, "classes": own.network.classes}
    )
    same_channels = source.network.channels == own.network.channels
    return own.model_copy(
        update={
            "spacing_mm": source.spacing_mm,
            "patch_size": source.patch_size,
            "batch_size": source.batch_size,
            "network": network,
            "normalisation": source.normalisation if same_channels else own.normalisation,
        }
    )


def differences_between(source: Plan, plan: Plan) -> tuple[str, ...]:
    """Sentences on what differs between a model's plan and a training's, as far as weights depend on it."""
    ours, theirs = plan.network, source.network
    pairs = (
        ("The channels are", ", ".join(source.channel_names), ", ".join(plan.channel_names)),
        ("The spacing (z, y, x) is", _millimetres(source.spacing_mm), _millimetres(plan.spacing_mm)),
        ("The features of the levels are", theirs.features, ours.features),
        ("The convolutions of the levels are", theirs.convolutions, ours.convolutions),
        ("The kernels of the levels are", theirs.kernels, ours.kernels),
        ("The strides of the levels are", theirs.strides, ours.strides),
        ("The normalisation of intensities is", _kinds(source), _kinds(plan)),
    )
    return tuple(f"{what} {a} in the model and {b} here." for what, a, b in pairs if a != b)


def differences_given_up(source: Plan, own: Plan, plan: Plan) -> tuple[str, ...]:
    """Sentences on what the data alone would have asked for, where the model's is kept instead.

    Args:
        source: the model's plan.
        own: made for the data, as if there were no model.
        plan: of the training, see `plan_after`.
    """
    remaining = differences_between(source, plan)
    told = tuple(told for told in differences_between(source, own) if told not in remaining)
    ours, theirs = (" x ".join(map(str, each.patch_size)) for each in (own, source))
    if ours == theirs or plan.patch_size != source.patch_size:
        return told
    return (*told, f"The patch (z, y, x) is {theirs} voxels in the model and {ours} here.")


def _other_names(source: Weights, plan: Plan) -> tuple[str, ...]:
    """Tell where what the model can segment has other names here; its values are the same."""
    theirs, ours = source.plan.label_schema, plan.label_schema
    if not source.card.heads or theirs.values != ours.values or theirs.names == ours.names:
        return ()
    return (
        f"The segments are {', '.join(theirs.names)} in the model and {', '.join(ours.names)} here. "
        "What it has learned of each goes on under the name here.",
    )


def _check_channels(source: Weights, plan: Plan, adapt_channels: bool) -> None:
    theirs, ours = source.plan.network.channels, plan.network.channels
    if theirs != ours and not adapt_channels:
        raise ModelError(
            f"The model {source.card.name} takes {counted(theirs, 'channel')} "
            f"({', '.join(source.plan.channel_names)}), this training {counted(ours, 'channel')} "
            f"({', '.join(plan.channel_names)}).",
            "Begin with a model of the same channels, or ask for the first convolution to be adapted.",
        )


def _with_channels(weight: Tensor, channels: int) -> Tensor:
    """Give a first convolution `(F, C, d, h, w)` another number of channels and the same response to grey."""
    mean = weight.mean(dim=1, keepdim=True) * (weight.shape[1] / channels)
    return mean.expand(-1, channels, -1, -1, -1).contiguous()


def _millimetres(spacing: tuple[float, float, float]) -> str:
    return " x ".join(f"{side:.3g}" for side in spacing) + " mm"


def _kinds(plan: Plan) -> str:
    return ", ".join(
        f"window {n.low:.0f} to {n.high:.0f}" if n.kind == "window" else n.kind for n in plan.normalisation
    )


def _size(shape: torch.Size) -> str:
    return " x ".join(map(str, shape))
