"""What a benchmark compares. Reading it needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medssl.learning.settings import DeviceName, MethodName, PretextName
from medssl.words import counted

PRETRAINING_SHARE = 0.3  # of the budget, where nothing else is said


class Start(BaseModel):
    """What a training begins with: nothing, or an encoder pretrained on the scans of all training cases.

    The pretraining takes `share` of the run's budget, so that a start costs what it costs: the training gets
    the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: PretextName | None = None
    share: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _a_share_for_a_task(self) -> Start:
        if (self.task is None) != (self.share == 0):
            raise ValueError("A pretraining needs a share of the time, and only a pretraining does.")
        return self

    @property
    def title(self) -> str:
        """For a person: 'scratch', or 'rotation 30 %'."""
        return "scratch" if self.task is None else f"{self.task} {self.share:.0%}".replace("%", " %")


class Measure(BaseModel):
    """What is the same for all runs of a benchmark, and changes their figures.

    Exactly one of `steps`, `seconds` and `core_seconds` is given; the last are seconds of processor time,
    which other programs on the machine do not shorten.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_out: Annotated[int, Field(ge=1, description="So many labelled cases are scored.")]
    spread: bool = Field(
        default=False, description="Hold out cases from all over the dataset instead of the last ones."
    )
    steps: Annotated[int, Field(ge=2)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    core_seconds: Annotated[float, Field(gt=0)] | None = None
    largest_component: bool = Field(default=False, description="Keep the largest piece of each segment.")
    proposals: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Also judge how well the uncertainty ranks so many cases that were not annotated.",
    )
    threads: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Of the processor; torch's choice when None."
    )
    device: DeviceName = "auto"

    @model_validator(mode="after")
    def _one_budget(self) -> Measure:
        if sum(budget is not None for budget in (self.steps, self.seconds, self.core_seconds)) != 1:
            raise ValueError("Give either steps, seconds or core-seconds: what every run may take.")
        return self

    @property
    def budget(self) -> str:
        """For a person: '240 s of processor time'."""
        if self.steps is not None:
            return counted(self.steps, "step")
        if self.seconds is not None:
            return f"{self.seconds:g} s"
        return f"{self.core_seconds:g} s of processor time"

    @property
    def scored(self) -> str:
        """For a person: 'last 40', or '40 of all'."""
        return f"{self.held_out} of all" if self.spread else f"last {self.held_out}"


class BenchmarkSettings(BaseModel):
    """Which runs to make: every method from every start with every number of annotated cases and every seed.

    The first labelled cases of the dataset are annotated. The last `held_out` ones are scored, or as many
    from all over the dataset. The labels of the others are never trained on. The first method with the first
    start is what others are compared to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Path = Field(description="A Decathlon- or nnU-Net-style folder.")
    measure: Measure
    annotated: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 2, 4, 8)
    methods: Annotated[tuple[MethodName, ...], Field(min_length=1)] = ("supervised", "dual_task", "automatic")
    starts: Annotated[tuple[Start, ...], Field(min_length=1)] = (Start(),)
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)
