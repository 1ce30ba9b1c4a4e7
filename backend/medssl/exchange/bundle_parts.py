"""What a MONAI bundle of ours needs beside MONAI: its network, and how it sees scans.

A copy of this file travels in every bundle, as `scripts/parts.py` beside copies of the network and of the
normalisation (see `medssl.exchange.standalone`), so that a bundle runs where MedSSL is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from monai.transforms import MapTransform
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from medssl.learning.intensities import find_scale
from medssl.learning.network import Network
from medssl.learning.plan import NetworkShape, Normalisation
from medssl.learning.resampling import resample_slabs


class SegmentationNetwork(Network):
    """The network with its segmentation head: `(B, C, D, H, W)` to logits `(B, K, D, H, W)`."""

    def __init__(
        self,
        channels: int,
        classes: int,
        features: Sequence[int],
        strides: Sequence[Sequence[int]],
        kernels: Sequence[Sequence[int]],
        convolutions: Sequence[int],
    ) -> None:
        """Build it; see `NetworkShape` for the arguments."""
        shape = SimpleNamespace(
            channels=channels,
            classes=classes,
            features=tuple(features),
            strides=tuple(map(tuple, strides)),
            kernels=tuple(map(tuple, kernels)),
            convolutions=tuple(convolutions),
        )
        super().__init__(cast("NetworkShape", shape), ("segmentation",))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # other programs expect a tensor, not heads
        """Return the logits of the classes, background first."""
        return super().forward(x)["segmentation"]


class Normalised(MapTransform):
    """Bring the intensities of `(C, ...)` to a mean near 0 and a spread near 1, each channel in its way."""

    def __init__(self, keys: Sequence[str], channels: Sequence[Mapping[str, Any]]) -> None:
        """Args: `channels` holds kind, low, high, mean and std of each."""
        super().__init__(keys)
        self.channels = [SimpleNamespace(**channel) for channel in channels]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Normalise every key's image."""
        d = dict(data)
        for key in self.key_iterator(d):
            image = d[key].clone().float()
            for voxels, channel in zip(image, self.channels, strict=True):
                plain = voxels.as_tensor() if isinstance(voxels, MetaTensor) else voxels
                find_scale(plain.cpu().numpy(), cast("Normalisation", channel)).apply(plain)
            d[key] = image
        return d


class Resampled(MapTransform):
    """Give `(C, D, H, W)` voxels of another size; the new grid fills the same box as the old one."""

    def __init__(self, keys: Sequence[str], spacing_mm: Sequence[float]) -> None:
        """Args: `spacing_mm` along the three axes, as they are when this is called."""
        super().__init__(keys)
        self.spacing_mm = tuple(spacing_mm)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resample every key's image."""
        d = dict(data)
        for key in self.key_iterator(d):
            image = d[key]
            sides = np.array(image.shape[1:])
            size = np.maximum(1, np.round(sides * image.pixdim.numpy() / np.array(self.spacing_mm))).astype(
                int
            )
            steps = sides / size  # old voxels a new one
            grid = np.eye(4)
            grid[:3, :3], grid[:3, 3] = np.diag(steps), (steps - 1) / 2
            affine = image.affine.double().cpu() @ torch.from_numpy(grid)
            voxels = torch.cat(list(_resampled(image.as_tensor().float(), size)), dim=1)
            d[key] = MetaTensor(voxels, affine, _without_grid(image.meta))
        return d


class ProbabilityInferer(SlidingWindowInferer):
    """Windows with Gaussian weights over probabilities, averaged over mirrored copies along `mirror` axes."""

    def __init__(self, roi_size: Sequence[int], mirror: Sequence[int] = (), sw_batch_size: int = 4) -> None:
        """Args: `mirror` holds axes of the windows: 0, 1, 2."""
        super().__init__(
            roi_size, sw_batch_size, overlap=0.5, mode="gaussian", sigma_scale=0.125, padding_mode="replicate"
        )
        axes = [2 + axis for axis in mirror]
        self.flips = [flip for count in range(len(axes) + 1) for flip in combinations(axes, count)]

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the probabilities `(B, K, D, H, W)`."""

        def probabilities(windows: Tensor) -> Tensor:
            total = torch.zeros(())
            for flip in self.flips:
                logits = network(windows.flip(flip) if flip else windows, *args, **kwargs)
                maps = logits.float().softmax(dim=1)
                total = total.to(maps) + (maps.flip(flip) if flip else maps)
            return total / len(self.flips)

        return super().__call__(inputs, probabilities)


class OntoScan(MapTransform):
    """Bring probabilities onto the grid of the scan's file and take the most probable class's label value."""

    def __init__(
        self, keys: Sequence[str], image_key: str, values: Sequence[int], largest: Sequence[int] = ()
    ) -> None:
        """Make it.

        Args:
            keys: of the predictions.
            image_key: of the image that was predicted on.
            values: label values of the classes, background first.
            largest: label values of which only the largest connected piece stays.
        """
        super().__init__(keys)
        self.image_key = image_key
        self.values = torch.tensor(list(values), dtype=torch.uint8)
        self.largest = tuple(largest)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace every key's `(K, D, H, W)` by `(1, ...)` label values."""
        d = dict(data)
        image = d[self.image_key]
        affine = torch.as_tensor(np.asarray(image.meta["original_affine"])).double()
        # Which axis of the image each axis of the file is, and whether it runs the other way.
        turn = (torch.linalg.inv(image.affine.double().cpu()) @ affine)[:3, :3].numpy()
        axes = [int(axis) for axis in np.abs(turn).argmax(axis=0)]
        flips = [axis for axis, other in enumerate(axes) if turn[other, axis] < 0]
        size = np.zeros(3, int)
        size[axes] = np.asarray(image.meta["spatial_shape"])[:3]
        for key in self.key_iterator(d):
            maps = torch.as_tensor(d[key]).detach().cpu().float()
            classes = torch.cat([part.argmax(dim=0) for part in _resampled(maps, size)])
            labels = self.values[classes.permute(axes).flip(flips)]
            d[key] = MetaTensor(self._cleaned(labels)[None], affine, _without_grid(image.meta))
        return d

    def _cleaned(self, labels: Tensor) -> Tensor:
        array = labels.numpy()
        for value in self.largest:
            pieces, count = ndimage.label(array == value, structure=np.ones((3, 3, 3)))
            if count > 1:
                largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
                array[(pieces > 0) & (pieces != largest)] = 0
        return torch.from_numpy(array)


def _resampled(maps: Tensor, size: NDArray[np.int_]) -> Iterator[Tensor]:
    source = (maps.shape[1], maps.shape[2], maps.shape[3])
    target = (int(size[0]), int(size[1]), int(size[2]))
    for _, part in resample_slabs(lambda first, last: maps[:, first:last], len(maps), source, target):
        yield part


def _without_grid(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in meta.items() if key != "affine"}
