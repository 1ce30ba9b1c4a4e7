"""The network: an encoder, a decoder and named heads, built from MONAI's blocks after the plan."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn

from medssl.learning.plan import HeadName, NetworkShape, Triple

__all__ = ["Decoder", "Encoder", "HeadName", "Network"]

PROJECTION_SIZE = 16


class Encoder(nn.Module):
    """`(B, C, D, H, W)` to a list of feature maps, fine to coarse, one a level of the plan."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        inputs = (shape.channels, *shape.features[:-1])
        self.levels = nn.ModuleList(
            _stack(before, after, kernel, stride, count)
            for before, after, kernel, stride, count in zip(
                inputs, shape.features, shape.kernels, shape.strides, shape.convolutions, strict=True
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of every level, the finest first."""
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """The encoder's features, fine to coarse, to decoded features, coarse to fine."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        levels = range(len(shape.features) - 1, 0, -1)
        self.rise = nn.ModuleList(
            nn.ConvTranspose3d(shape.features[i], shape.features[i - 1], shape.strides[i], shape.strides[i])
            for i in levels
        )
        self.merge = nn.ModuleList(
            _stack(
                2 * shape.features[i - 1],
                shape.features[i - 1],
                shape.kernels[i - 1],
                (1, 1, 1),
                shape.convolutions[i - 1],
            )
            for i in levels
        )

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return the decoded features, the finest last: that one has the input's size."""
        x = skips[-1]
        decoded = []
        for rise, merge, skip in zip(self.rise, self.merge, reversed(skips[:-1]), strict=True):
            x = merge(torch.cat((rise(x), skip), dim=1))
            decoded.append(x)
        return decoded


class Network(nn.Module):
    """Encoder, decoder and the heads a method asks for, all on the finest decoded features.

    - `segmentation`: logits `(B, K, D, H, W)` of the K classes, background first.
    - `level_set`: `(B, F, D, H, W)` in (-1, 1), negative inside, for the F = K - 1 foreground classes.
    - `projection`: `(B, 16, D, H, W)`, the embedding for contrastive losses.
    """

    def __init__(self, shape: NetworkShape, heads: Sequence[HeadName] = ("segmentation",)) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape)
        self.heads = nn.ModuleDict({name: _head(name, shape) for name in heads})

    @property
    def head_names(self) -> tuple[HeadName, ...]:
        """The heads this network has."""
        return tuple(self.heads)  # type: ignore[arg-type]  # ModuleDict's keys are str; we put only HeadNames in

    def forward(self, x: Tensor, heads: Sequence[HeadName] | None = None) -> dict[HeadName, Tensor]:
        """Return the outputs of `heads` (default: all the network has).

        Args:
            x: `(B, C, D, H, W)`; sides are multiples of `NetworkShape.divisor`.
            heads: which outputs to compute.
        """
        features = self.decoder(self.encoder(x))[-1]
        return {name: self.heads[name](features) for name in heads or self.head_names}


def _stack(before: int, after: int, kernel: Triple, stride: Triple, count: int) -> nn.Sequential:
    """`count` times convolution, instance normalisation, leaky ReLU; the first one takes the stride."""
    return nn.Sequential(
        *(
            Convolution(
                spatial_dims=3,
                in_channels=before if i == 0 else after,
                out_channels=after,
                kernel_size=kernel,
                strides=stride if i == 0 else 1,
                adn_ordering="NA",
                norm=("instance", {"affine": True}),
                act=("leakyrelu", {"negative_slope": 0.01, "inplace": True}),
                bias=False,
            )
            for i in range(count)
        )
    )


def _head(name: HeadName, shape: NetworkShape) -> nn.Module:
    features = shape.features[0]
    if name == "segmentation":
        return nn.Conv3d(features, shape.classes, 1)
    if name == "level_set":
        return nn.Sequential(nn.Conv3d(features, shape.classes - 1, 1), nn.Tanh())
    return nn.Sequential(
        nn.Conv3d(features, PROJECTION_SIZE, 1, bias=False),
        nn.InstanceNorm3d(PROJECTION_SIZE, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
        nn.Conv3d(PROJECTION_SIZE, PROJECTION_SIZE, 1),
    )
