"""What can be chosen about the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from medssl.learning.settings import DeviceName, MethodName


class DemoSettings(BaseModel):
    """Which scans, where to, and how long.

    Without `data` the demo makes scans of its own. Without `steps` and `seconds` it trains 1 minute on its
    own scans and 7 on others; the refinement takes half of that.
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
