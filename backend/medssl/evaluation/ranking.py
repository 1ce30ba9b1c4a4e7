"""Whether a score puts cases into the right order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr


def spearman(scores: Sequence[float], truths: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, -1..1, of two equally long sequences.

    None where it cannot be said: fewer than three pairs, or one side that is constant. Pairs with a value
    that is not finite must be left out by the caller, who knows why they are not.

    Raises:
        ValueError: the lengths differ or a value is not finite.
    """
    pairs = np.array([scores, truths], dtype=float) if len(scores) == len(truths) else None
    if pairs is None or not np.isfinite(pairs).all():
        raise ValueError("A rank correlation needs pairs of finite numbers.")
    if pairs.shape[1] < 3 or (np.ptp(pairs, axis=1) == 0).any():
        return None
    return float(spearmanr(pairs[0], pairs[1]).statistic)
