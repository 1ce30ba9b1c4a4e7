"""What can be chosen about the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from medssl.learning.settings import DeviceName, MethodName

# Of the first training. Steps and not seconds where the scans are known: a slow computer shall show as much.
OWN_SCANS_STEPS, GIVEN_SCANS_S = 360, 420.0


class DemoSettings(BaseModel):
    """Which scans, where to, and how long.

    Without `data` the demo makes scans of its own. Without `steps` and `seconds` it trains 360 steps on its
    own scans, about a minute on two processor cores, and 7 minutes on others; the refinement takes half of
    that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path | None = None
    out: Path | None = Field(default=None, description="New or empty; None: medssl-demo.")
    keep: bool = Field(default=True, description="Keep the project beside the results.")
    method: MethodName = "automatic"
    annotated: Annotated[int, Field(ge=1)] = 2
    held_out: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Last labelled cases that are the folder of new scans; a fifth, at most 40, when None.",
    )
    corrections: Annotated[int, Field(ge=0)] = 3
    steps: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    device: DeviceName = "auto"

    @property
    def budget(self) -> tuple[int | None, float | None]:
        """Steps and seconds of the first training, one of which is None; the refinement gets half of them."""
        if self.steps is not None or self.seconds is not None:
            return self.steps, self.seconds
        return (OWN_SCANS_STEPS, None) if self.data is None else (None, GIVEN_SCANS_S)
