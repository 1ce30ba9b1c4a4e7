"""Supervised learning on the annotated scans alone: the baseline everything else must beat."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from medssl.learning.losses import segmentation_loss
from medssl.learning.methods.base import Method, Step
from medssl.learning.network import HeadName


class Supervised(Method):
    """Dice loss plus cross-entropy on annotated patches, as nnU-Net has it (Isensee et al., 2021)."""

    name: ClassVar[str] = "supervised"
    title: ClassVar[str] = "Supervised"
    heads: ClassVar[tuple[HeadName, ...]] = ("segmentation",)

    def unlabelled_patches(self, labelled: int, fraction: float) -> int:
        """None."""
        return 0

    def losses(self, step: Step) -> dict[str, Tensor]:
        """L = L_Dice(p, g) + L_CE(p, g)."""
        patches = step.batch.labelled
        logits = step.network(patches.image)["segmentation"]
        return {"segmentation": segmentation_loss(logits, patches.labels)}
