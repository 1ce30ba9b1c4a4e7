"""A batch of patches, as methods receive it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Patches:
    """Patches cut from cases, on the device that trains.

    Attributes:
        image: `(B, C, D, H, W)` float32, normalised intensities, with another acquisition's appearance.
        plain: the same patches as the scan shows them, for a teacher that should not be made to guess.
        labels: `(B, D, H, W)` int64 class indices, 255 where nobody looked or outside the scan.
        inside: `(B, D, H, W)` bool, where the scan is: elsewhere its border is repeated, about which a guess
            says nothing.
        level_set: `(B, F, D, H, W)` float32 in [-1, 1], or None when the method has no such head.
    """

    image: Tensor
    plain: Tensor
    labels: Tensor
    inside: Tensor
    level_set: Tensor | None = None

    def __len__(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True)
class Batch:
    """What one training step sees: annotated patches, and unannotated ones where the method asks for them."""

    labelled: Patches
    unlabelled: Patches | None = None
