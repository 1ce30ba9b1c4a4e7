"""How long to train: three words for a person instead of numbers of steps."""

from __future__ import annotations

from typing import Literal, TypeAlias

from medssl.learning.settings import (
    LEARNING_RATE,
    REFINING_LEARNING_RATE,
    DeviceName,
    MethodName,
    PretextName,
    PretrainingSettings,
    TrainingSettings,
)

Effort: TypeAlias = Literal["quick", "balanced", "thorough"]

EFFORT_S: dict[Effort, float] = {"quick": 120.0, "balanced": 600.0, "thorough": 3600.0}
"""Seconds of a training from the start; time and not steps, because it means the same on every machine.

Preparing the scans and validating come on top, see `RunSettings`."""

REFINING_PART = 0.5  # a refinement begins with weights that are nearly right


def settings_for(
    effort: Effort,
    *,
    method: MethodName = "automatic",
    refine: bool = False,
    seed: int = 0,
    device: DeviceName = "auto",
    steps: int | None = None,
    seconds: float | None = None,
    confidence: float = 0.0,
) -> TrainingSettings:
    """The settings of a training from the start, or of one that refines a model after a review.

    A refinement takes half the time, with a smaller learning rate. `steps` or `seconds` replace the time of
    the effort; for `confidence` see `TrainingSettings`.
    """
    if steps is None and seconds is None:
        seconds = EFFORT_S[effort] * (REFINING_PART if refine else 1.0)
    return TrainingSettings(
        method=method,
        steps=steps,
        seconds=seconds,
        seed=seed,
        learning_rate=REFINING_LEARNING_RATE if refine else LEARNING_RATE,
        device=device,
        confidence=confidence,
    )


def pretraining_settings_for(
    effort: Effort,
    *,
    method: PretextName = "pgl",
    seed: int = 0,
    device: DeviceName = "auto",
    steps: int | None = None,
    seconds: float | None = None,
) -> PretrainingSettings:
    """The settings of a pretraining; `steps` or `seconds` replace the time of the effort."""
    if steps is None and seconds is None:
        seconds = EFFORT_S[effort]
    return PretrainingSettings(method=method, steps=steps, seconds=seconds, seed=seed, device=device)
