"""From scans to what networks see, and back onto the scan's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medssl.errors import GridError, ModelError
from medssl.imaging.canonical import Canonical
from medssl.imaging.volume import Grid, Volume
from medssl.labels import UNANNOTATED
from medssl.learning.intensities import Scale, find_scale
from medssl.learning.plan import Normalisation, Plan, Triple
from medssl.learning.resampling import cells_with_any, resample_slabs
from medssl.words import counted


@dataclass(frozen=True)
class WayBack:
    """The way from the plan's grid back onto the scan's own.

    Attributes:
        grid: the scan's own.
        canonical: how the scan's axes were turned.
        size: the prepared image's (D, H, W).
    """

    grid: Grid
    canonical: Canonical
    size: Triple

    @classmethod
    def of(cls, grid: Grid, plan: Plan) -> WayBack:
        """Find it for a scan's grid. The prepared grid covers the same box as the scan, to the millimetre."""
        canonical = Canonical.of(grid)
        d, h, w = (
            max(1, round(grid.shape[axis] * own / wanted))
            for axis, own, wanted in zip(canonical.order, canonical.spacing_mm, plan.spacing_mm, strict=True)
        )
        return cls(grid=grid, canonical=canonical, size=(d, h, w))

    def restore(self, maps: Tensor) -> Tensor:
        """Bring maps of the prepared grid onto the scan's own.

        Args:
            maps: `(K, D, H, W)`, probabilities or an uncertainty; any float type, any device.

        Returns:
            `(K, z, y, x)` float32 on the CPU.
        """
        turned = self._turned(maps)
        restored = torch.empty((maps.shape[0], *self.grid.shape))
        for part, slab in resample_slabs(
            lambda first, last: turned[:, first:last].float(), len(maps), _sides(turned), self.grid.shape
        ):
            restored[:, part] = slab.cpu()
        return restored

    def restore_classes(self, probabilities: Tensor) -> NDArray[np.uint8]:
        """Say for every voxel of the scan which class is the most probable.

        The probabilities are interpolated and compared a few slices at a time, so that K maps of a large
        scan are never in memory together.

        Args:
            probabilities: `(K, D, H, W)`, background first; any float type, any device.

        Returns:
            Class indices (z, y, x).
        """
        turned = self._turned(probabilities)
        classes = np.empty(self.grid.shape, dtype=np.uint8)
        for part, slab in resample_slabs(
            lambda first, last: turned[:, first:last].float(), len(turned), _sides(turned), self.grid.shape
        ):
            classes[part] = slab.max(dim=0).indices.to(torch.uint8).cpu().numpy()
        return classes

    def _turned(self, maps: Tensor) -> Tensor:
        """The maps with the file's axes, still with the prepared number of voxels.

        Turning first is the same as turning last, because resampling treats both ends of an axis alike,
        and it turns the smaller of the two arrays.
        """
        if tuple(maps.shape[1:]) != self.size:
            raise ValueError(f"Maps of shape {tuple(maps.shape)} do not fit the prepared size {self.size}.")
        back = np.argsort(self.canonical.order)
        return maps.flip([1 + axis for axis in self.canonical.flips]).permute(0, *(1 + int(i) for i in back))


@dataclass(frozen=True)
class Prepared:
    """A scan as the network sees it, and the way back.

    Attributes:
        image: `(C, D, H, W)` float32: canonical axes, the plan's spacing, intensities of mean 0 and spread 1.
        way: back onto the scan's own grid.
    """

    image: Tensor
    way: WayBack


def prepare(channels: Sequence[Volume], plan: Plan, device: torch.device | str = "cpu") -> Prepared:
    """Turn, normalise and resample the channels of one scan.

    Intensities are clipped before anything is interpolated, so that an outlier cannot bleed into its
    neighbours. Works through a few slices at a time: beside the scan and the result little memory is used.

    Args:
        channels: one volume a channel of the plan, all on one grid.
        plan: spacing and normalisation.
        device: where to compute and where the result lies.

    Raises:
        ModelError: another number of channels than the plan has.
        GridError: the channels do not share a grid.
    """
    if len(channels) != len(plan.channel_names):
        raise ModelError(
            f"The scan has {counted(len(channels), 'channel')}, but the model needs "
            f"{len(plan.channel_names)} ({', '.join(plan.channel_names)}).",
            "Give one volume for each channel, in this order.",
        )
    for volume, name in zip(channels[1:], plan.channel_names[1:], strict=True):
        if not volume.grid.agrees_with(channels[0].grid):
            raise GridError(
                f"The channel {name} has {volume.grid.size} voxels on another grid than "
                f"{plan.channel_names[0]} with {channels[0].grid.size}.",
                "Resample the channels of one scan onto the same grid first.",
            )
    way = WayBack.of(channels[0].grid, plan)
    image = torch.empty((len(channels), *way.size), device=device)
    for index, (volume, normalisation) in enumerate(zip(channels, plan.normalisation, strict=True)):
        _prepare_channel(way.canonical.apply(volume.array), normalisation, image[index : index + 1])
    return Prepared(image=image, way=way)


def prepare_labels(values: NDArray[np.uint8], grid: Grid, plan: Plan) -> Tensor:
    """Bring a label map onto the prepared grid.

    Every class is interpolated for itself and the largest wins, which keeps borders smooth. Voxels that
    nobody looked at have no say in it. A voxel of the prepared grid counts as annotated when the nearest
    voxel of the label map is or, where the plan is coarser, any whose centre lies in it: so that a single
    annotated slice does not fall through a coarser grid.

    Args:
        values: label values (z, y, x) on the scan's grid.
        grid: the scan's.
        plan: schema and spacing.

    Returns:
        Class indices (D, H, W) uint8, 255 where not annotated.
    """
    way = WayBack.of(grid, plan)
    # A copy in any case: an axis of one voxel may run backwards in memory, which numpy calls contiguous.
    classes = way.canonical.apply(plan.label_schema.to_classes(values)).copy(order="C")
    source = (classes.shape[0], classes.shape[1], classes.shape[2])
    if source == way.size:
        return torch.from_numpy(classes)
    resampled = torch.empty(way.size, dtype=torch.uint8)
    count = plan.label_schema.class_count
    indices = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1)
    stored = torch.from_numpy(classes)
    for part, shares in resample_slabs(
        lambda first, last: (stored[None, first:last] == indices).float(), count, source, way.size
    ):
        resampled[part] = shares.max(dim=0).indices.to(torch.uint8)
    annotated = classes != UNANNOTATED
    if not annotated.all():
        resampled[torch.from_numpy(~cells_with_any(annotated, way.size))] = UNANNOTATED
    return resampled


def _prepare_channel(array: NDArray[np.generic], normalisation: Normalisation, into: Tensor) -> None:
    """Normalise and resample one channel (canonical axes) into `(1, D, H, W)`."""
    scale: Scale = find_scale(array, normalisation)

    def read(first: int, last: int) -> Tensor:
        slab = torch.from_numpy(np.array(array[first:last], dtype=np.float32)).to(into.device)
        return scale.apply(slab).unsqueeze(0)

    source = (array.shape[0], array.shape[1], array.shape[2])
    for part, slab in resample_slabs(read, 1, source, _sides(into)):
        into[:, part] = slab


def _sides(maps: Tensor) -> Triple:
    return maps.shape[1], maps.shape[2], maps.shape[3]
