"""What the demo found."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from medssl.jobs import EvaluateResult


class DemoOutcome(BaseModel):
    """The demo in numbers and files.

    Attributes:
        ranking: Spearman correlation of uncertainty and true Dice over the proposals, -1 is a perfect
            ranking; None where it cannot be said.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    project: Path | None
    first_model: str
    refined_model: str
    proposals: int
    ranking: float | None
    accepted: tuple[str, ...]
    corrected: tuple[str, ...]
    new_scans: int
    before: EvaluateResult
    after: EvaluateResult
    segmentations: Path
    seconds: float
