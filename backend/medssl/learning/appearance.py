"""Changing how patches look, as another scanner, coil or protocol would, in batches on the device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


@dataclass(frozen=True)
class Appearance:
    """How strongly intensities are changed; images are normalised (mean near 0, spread near 1).

    Each change happens to each patch with its own chance.

    Attributes:
        gamma: largest exponent of the gamma curve; the smallest is its inverse.
        contrast: largest change of contrast, as a fraction.
        brightness: largest shift, in standard deviations.
        bias: standard deviation of the logarithm of the coil's sensitivity at the control points.
        noise: largest standard deviation of Gaussian noise.
        blur_voxels: largest standard deviation of the Gaussian blur.
        coarseness: largest factor by which resolution is lost.
        chance: of gamma, contrast with brightness, bias and noise.
        rare_chance: of blur and of lost resolution.
    """

    gamma: float = 1.8
    contrast: float = 0.3
    brightness: float = 0.3
    bias: float = 0.3
    noise: float = 0.25
    blur_voxels: float = 1.0
    coarseness: float = 2.0
    chance: float = 0.5
    rare_chance: float = 0.2


def change_appearance(image: Tensor, appearance: Appearance, generator: Generator) -> Tensor:
    """Return `image` `(B, C, D, H, W)` as another acquisition would show it.

    Every channel of a patch gets its own curve, as channels come from acquisitions of their own. All
    randomness comes from `generator` (of the CPU).
    """
    return torch.stack(
        [
            torch.cat([_change_one(channel, appearance, generator) for channel in patch.split(1)])
            for patch in image
        ]
    )


def _change_one(patch: Tensor, appearance: Appearance, generator: Generator) -> Tensor:
    def happens(chance: float) -> bool:
        return bool(torch.rand((), generator=generator) < chance)

    if happens(appearance.rare_chance):
        patch = _blur(patch, appearance.blur_voxels * _uniform(generator, 0.3, 1.0))
    if happens(appearance.rare_chance):
        patch = _coarsen(patch, _uniform(generator, 1.0, appearance.coarseness))
    if happens(appearance.chance):
        patch = _bias(patch, appearance.bias, generator)
    if happens(appearance.chance):
        limit = math.log(appearance.gamma)
        patch = _gamma(patch, math.exp(_uniform(generator, -limit, limit)), inverted=happens(0.3))
    if happens(appearance.chance):
        factor = 1 + _uniform(generator, -appearance.contrast, appearance.contrast)
        patch = patch * factor + _uniform(generator, -appearance.brightness, appearance.brightness)
    if happens(appearance.chance):
        patch = patch + _uniform(generator, 0, appearance.noise) * _noise_like(patch, generator)
    return patch


def _uniform(generator: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _noise_like(patch: Tensor, generator: Generator) -> Tensor:
    """Draw noise on the patch's device from a seed of the CPU's generator, whose state a checkpoint keeps."""
    seed = int(torch.randint(2**31, (), generator=generator))
    on_device = Generator(device=patch.device).manual_seed(seed)
    return torch.randn(patch.shape, generator=on_device, device=patch.device)


def _bias(patch: Tensor, strength: float, generator: Generator) -> Tensor:
    """Multiply distances from the darkest voxel by a smooth field, as a receive coil does."""
    points = torch.randn((1, 1, 3, 3, 3), generator=generator).to(patch.device) * strength
    field = F.interpolate(points, size=patch.shape[1:], mode="trilinear", align_corners=True)[0]
    darkest = patch.amin(dim=(1, 2, 3), keepdim=True)
    return (patch - darkest) * field.exp() + darkest


def _gamma(patch: Tensor, exponent: float, inverted: bool) -> Tensor:
    """Bend the intensity curve between a channel's extremes; inverted, the bright end is bent."""
    low = patch.amin(dim=(1, 2, 3), keepdim=True)
    reach = (patch.amax(dim=(1, 2, 3), keepdim=True) - low).clamp_min(1e-6)
    unit = (patch - low) / reach
    bent = 1 - (1 - unit).clamp_min(0) ** exponent if inverted else unit.clamp_min(0) ** exponent
    return bent * reach + low


def _blur(patch: Tensor, sigma: float) -> Tensor:
    """Convolve with a Gaussian of `sigma` voxels, one axis after the other."""
    radius = max(1, math.ceil(3 * sigma))
    steps = torch.arange(-radius, radius + 1, device=patch.device, dtype=patch.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = kernel / kernel.sum()
    smooth = patch.unsqueeze(1)
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        padding = [0, 0, 0, 0, 0, 0]
        padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = radius
        smooth = F.conv3d(F.pad(smooth, padding, mode="replicate"), kernel.view(shape))
    return smooth[:, 0]


def _coarsen(patch: Tensor, factor: float) -> Tensor:
    """Lose resolution by `factor` and interpolate back to the same grid."""
    sides = [max(1, round(side / factor)) for side in patch.shape[1:]]
    coarse = F.interpolate(patch.unsqueeze(0), size=sides, mode="nearest-exact")
    return F.interpolate(coarse, size=patch.shape[1:], mode="trilinear", align_corners=False)[0]
