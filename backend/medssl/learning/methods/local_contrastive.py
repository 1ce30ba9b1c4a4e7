"""Contrast of voxels with pseudo-labels: what looks alike inside the network should be of one class.

After Chaitanya et al., 'Local contrastive loss with pseudo-label based self-training for semi-supervised
medical image segmentation', Medical Image Analysis 2023. Theirs is in 2D, in rounds, and needs two foreground
classes; the form below is in 3D, guesses afresh in every step, and works for one structure in one annotated
scan.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from medssl.labels import UNANNOTATED
from medssl.learning.contrast import guessed_classes, local_contrastive_loss
from medssl.learning.losses import segmentation_loss
from medssl.learning.methods.base import Method, Step
from medssl.learning.methods.dual_task import worst_dice
from medssl.learning.network import HeadName
from medssl.learning.settings import TrainingSettings

CONTRAST_WEIGHT = 0.1  # lambda of the paper; 0.02, what it comes to in the published code, did as well
START, RAMP = 0.5, 0.2  # in parts of the training: when the contrast sets in, and how long it rises


class LocalContrastive(Method):
    """Annotated patches teach the classes; on all patches, voxels of one class are drawn together.

    The network has a second head, a projection of its finest decoded features, which is not used to predict.
    After a supervised start, the moving average of the network guesses the classes of unannotated patches
    (as the scan shows them; the network sees them with another appearance), and the projections of all
    patches, annotated and guessed, are compared:

        L = L_seg + lambda(t) L_contrast

    `local_contrastive_loss` says what L_contrast is. L_seg sees annotated patches only, annotated voxels keep
    their labels, and voxels of an annotated patch that nobody looked at are not guessed. A guessed patch
    counts as d annotated ones, d being the Dice of the worst class on the annotated patches of the same step:
    guesses are trusted as far as what is known has been learned. With one annotated scan, matches across
    images come from its differently deformed patches and from the unannotated ones. The method remembers
    nothing from step to step.

    Args:
        confidence: least probability of a guess that counts, see `guessed_classes`. The paper found no gain.
    """

    name: ClassVar[str] = "local_contrastive"
    title: ClassVar[str] = "Contrastive self-training"
    heads: ClassVar[tuple[HeadName, ...]] = ("segmentation", "projection")

    def __init__(self, confidence: float = 0.0) -> None:
        self._confidence = confidence

    @classmethod
    def of(cls, settings: TrainingSettings) -> Method:
        """Make it with the confidence that the settings ask of guesses."""
        return cls(settings.confidence)

    def unlabelled_patches(self, labelled: int, fraction: float) -> int:
        """Half as many as annotated ones, at least one, once the contrast has set in."""
        return max(1, labelled // 2) if fraction >= START else 0

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the terms `segmentation` and, once it has set in, `contrast`."""
        patches, others = step.batch.labelled, step.batch.unlabelled
        if step.fraction < START:
            logits = step.network(patches.image, ("segmentation",))["segmentation"]
            return {"segmentation": segmentation_loss(logits, patches.labels)}
        images, labels = patches.image, patches.labels
        if others is not None:
            teacher = step.average(others.plain, ("segmentation",))["segmentation"]
            # One pass for all patches: instance normalisation keeps them apart, and a larger batch is faster.
            images = torch.cat((images, others.image))
            guesses = guessed_classes(teacher, self._confidence)
            labels = torch.cat((labels, torch.where(others.inside, guesses, UNANNOTATED)))
        output = step.network(images)
        logits = output["segmentation"][: len(patches)]
        weights = torch.ones(len(images), device=images.device)
        weights[len(patches) :] = worst_dice(logits.detach(), patches.labels)
        shape, spacing_mm = step.plan.network, step.plan.spacing_mm
        contrast = local_contrastive_loss(output["projection"], labels, weights, shape.classes, spacing_mm)
        rise = min(1.0, (step.fraction - START) / RAMP)
        return {
            "segmentation": segmentation_loss(logits, patches.labels),
            "contrast": CONTRAST_WEIGHT * rise * contrast,
        }
