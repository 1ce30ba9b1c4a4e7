"""From the channels of a scan to its segmentation on the scan's own grid, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medssl.imaging.canonical import MIRROR_ARRAY_AXIS
from medssl.imaging.volume import Grid, Volume
from medssl.inference.components import keep_largest
from medssl.inference.uncertainty import (
    case_score,
    disagreement,
    uncertain_regions,
    uncertainty_map,
    worst_slice,
)
from medssl.labels import LabelSchema, count_values
from medssl.learning.convolutions import fast_convolutions
from medssl.learning.device import choose_device
from medssl.learning.lanes import Lanes
from medssl.learning.level_sets import RISE_VOXELS, class_probabilities, sharpness_over
from medssl.learning.model import Model
from medssl.learning.plan import Plan
from medssl.learning.preprocessing import Prepared, WayBack, prepare
from medssl.learning.settings import DeviceName
from medssl.learning.sliding import slide
from medssl.machine import Machine
from medssl.project import UncertainRegion

_LANES_SHARE = 0.25  # of the free memory, for windows that are looked at at the same time
_FINEST_MAPS = 6  # sets of features of the finest level that exist at one time in a forward pass, about


@dataclass(frozen=True)
class Opinion:
    """What the network says of a scan, on the plan's grid.

    Attributes:
        probabilities: `(K, D, H, W)` on the CPU, background first; 16-bit floats for large scans.
        disagreement: `(D, H, W)`, between segmentation and level-set head; None when there is no such head.
        way: back onto the scan's own grid.
    """

    probabilities: Tensor
    disagreement: Tensor | None
    way: WayBack


@dataclass(frozen=True)
class Prediction:
    """A segmentation on the scan's own grid.

    Attributes:
        values: label values (z, y, x).
        uncertainty: (z, y, x), 0 certain to 1 uncertain; None when it was not asked for.
        score: 0 for a certain to 1 for an uncertain case, see `case_score`.
        worst_slice: index along z of the slice to look at first.
        regions: where to look, the most uncertain first; empty where nothing is uncertain.
        volumes_ml: volume of each segment in ml, by name.
    """

    values: NDArray[np.uint8]
    uncertainty: NDArray[np.float32] | None
    score: float
    worst_slice: int
    regions: tuple[UncertainRegion, ...]
    volumes_ml: dict[str, float]


class Predictor:
    """Segments scans with a model.

    `predict` is the whole way. Its three steps are public so that a program can do them for different scans
    at the same time: only `infer` uses the network.

    Args:
        model: the model; its network moves to the device.
        device: where to compute.

    Raises:
        UsageError: a GPU was asked for and there is none.
    """

    def __init__(self, model: Model, device: DeviceName = "auto") -> None:
        self.device = choose_device(device)
        self.model_id = model.card.id
        self.schema: LabelSchema = model.plan.label_schema
        self._plan = model.plan
        self._network = model.network.to(self.device).eval()
        self._has_level_set = "level_set" in self._network.head_names
        self._sharpness = sharpness_over(RISE_VOXELS, self._plan.spacing_mm, self._plan.level_set_mm)
        self._lanes = Lanes(window_lanes(self._plan, self.device))
        axes = [2 + MIRROR_ARRAY_AXIS[axis] for axis in self.schema.mirror_axes]
        self._flips = [flip for n in range(len(axes) + 1) for flip in combinations(axes, n)]

    def predict(self, channels: Sequence[Volume], check: Callable[[], None] = lambda: None) -> Prediction:
        """Segment one scan.

        Args:
            channels: one volume a channel of the plan, all on one grid.
            check: called before windows, from any thread; may raise to stop.

        Raises:
            ModelError: another number of channels than the model has.
            GridError: the channels do not share a grid.
        """
        return self.finish(self.infer(self.prepare(channels), check), with_map=True)

    def prepare(self, channels: Sequence[Volume]) -> Prepared:
        """Bring a scan into the form the network sees; see `predict` for the errors."""
        with torch.inference_mode():
            return prepare(channels, self._plan)

    def infer(self, prepared: Prepared, check: Callable[[], None] = lambda: None) -> Opinion:
        """Let the network look at a prepared scan, in windows of the size it was trained on."""
        classes = self._plan.network.classes
        outputs = classes + (1 if self._has_level_set else 0)
        # Always the patches' size, also where a scan would fit at once: a network with instance normalisation
        # sees larger windows differently. A model of 99 steps had a Dice of 0.726 on 20 hippocampus crops in
        # windows, and 0.694 in one piece.
        window = self._plan.patch_size

        def forward(windows: Tensor) -> Tensor:
            check()
            with torch.inference_mode(), fast_convolutions(self.device):
                return self._opinions(windows)

        with torch.inference_mode():
            found = slide(
                prepared.image,
                window,
                forward,
                outputs,
                batch=1 if self.device.type == "cpu" else max(2, self._plan.batch_size),
                lanes=self._lanes,
                device=self.device,
            )
        return Opinion(found[:classes], found[classes] if self._has_level_set else None, prepared.way)

    def finish(self, opinion: Opinion, with_map: bool) -> Prediction:
        """Bring what the network said onto the scan's own grid, clean it and measure it.

        Args:
            opinion: from `infer`.
            with_map: also make the uncertainty map.
        """
        grid = opinion.way.grid
        with torch.inference_mode():
            values = opinion.way.restore_classes(opinion.probabilities)
            for plane in values:  # in place, as what is counted and looked up in numpy becomes 64 bits wide
                plane[...] = self.schema.to_values(plane)
            values = keep_largest(values, self.schema)
            on_plan = uncertainty_map(opinion.probabilities, opinion.disagreement)
            found = opinion.probabilities[0] < 0.5
            uncertainty = opinion.way.restore(on_plan[None])[0].numpy() if with_map else None
            score = case_score(opinion.probabilities)
        # Where to look is found on the plan's grid, whose voxels are as large as the network sees them.
        turned = opinion.way.canonical.undo(on_plan.numpy())
        counts = count_values(values)
        return Prediction(
            values=values,
            uncertainty=uncertainty,
            score=score,
            worst_slice=_onto(
                worst_slice(turned, opinion.way.canonical.undo(found.numpy())), turned.shape[0], grid.shape[0]
            ),
            regions=tuple(_region_onto(r, turned.shape, grid) for r in uncertain_regions(turned)),
            volumes_ml={s.name: float(counts[s.value]) * grid.voxel_ml for s in self.schema.segments},
        )

    @property
    def channel_count(self) -> int:
        """How many channels a scan has for the model."""
        return len(self._plan.channel_names)

    @property
    def bytes_per_voxel(self) -> int:
        """About how much memory a scan takes on its way, a voxel of one channel, when it is not resampled."""
        outputs = self._plan.network.classes + 1
        return 4 + 4 + 2 * outputs + 4 + 4

    def _opinions(self, windows: Tensor) -> Tensor:
        """Mean over mirrored copies of the probabilities and, behind them, of the heads' disagreement."""
        total: Tensor | None = None
        for flip in self._flips:
            with torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda"):
                heads = self._network(
                    windows.flip(flip) if flip else windows,
                    ("segmentation", "level_set") if self._has_level_set else ("segmentation",),
                )
            maps = heads["segmentation"].float().softmax(dim=1)
            if self._has_level_set:
                others = class_probabilities(heads["level_set"], self._sharpness)
                maps = torch.cat((maps, disagreement(maps, others).unsqueeze(1)), dim=1)
            maps = maps.flip(flip) if flip else maps
            total = maps if total is None else total + maps
        assert total is not None
        return total / len(self._flips)


def window_lanes(plan: Plan, device: torch.device) -> int:
    """How many windows to look at at the same time: one for each thread of torch, if memory permits."""
    if device.type != "cpu":
        return 1
    window_bytes = 4 * _FINEST_MAPS * plan.network.features[0] * math.prod(plan.patch_size)
    affordable = int(_LANES_SHARE * Machine.look(with_gpu=False).memory_free_bytes / window_bytes)
    return max(1, min(torch.get_num_threads(), affordable))


def _onto(index: int, before: int, after: int) -> int:
    """The voxel of a finer or coarser axis over the same length that holds a voxel's centre."""
    return min(after - 1, int((index + 0.5) * after / before))


def _region_onto(region: UncertainRegion, shape: tuple[int, ...], grid: Grid) -> UncertainRegion:
    """Bring a region onto a finer or coarser grid over the same space."""
    first, last, centre = [], [], []
    for axis, (before, after) in enumerate(zip(shape, grid.shape, strict=True)):
        start = int(region.box[axis] * after / before)
        first.append(start)
        last.append(max(start + 1, min(after, math.ceil(region.box[3 + axis] * after / before))))
        centre.append(_onto(region.centre[axis], before, after))
    (z0, y0, x0), (z1, y1, x1), (z, y, x) = first, last, centre
    return UncertainRegion((z0, y0, x0, z1, y1, x1), (z, y, x), region.share)
