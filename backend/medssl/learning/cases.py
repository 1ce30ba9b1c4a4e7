"""Cases as training sees them: prepared once, then in memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """One prepared case; all tensors on the plan's grid.

    Attributes:
        name: the case's.
        image: `(C, D, H, W)` float32 (float16 when memory is short), see `preprocessing.prepare`.
        labels: `(D, H, W)` uint8 class indices, 255 where not annotated; None for an unannotated case.
        level_set: `(F, D, H, W)` float32 in [-1, 1], NaN where unknown, see `distance.level_set`; None
            without labels or when not asked for.
    """

    name: str
    image: Tensor
    labels: Tensor | None
    level_set: Tensor | None = None
