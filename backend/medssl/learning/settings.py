"""What a person decides about a training; everything else is the plan's."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

MethodName: TypeAlias = Literal[
    "automatic", "supervised", "dual_task", "dual_task_published", "local_contrastive"
]
PretextName: TypeAlias = Literal["pgl", "cpc", "rotation", "jigsaw", "relative_location", "exemplar"]
DeviceName: TypeAlias = Literal["auto", "cpu", "cuda"]

LEARNING_RATE = 3e-3
REFINING_LEARNING_RATE = 1e-3
PRETRAINING_LEARNING_RATE = 1e-3


class RunSettings(BaseModel):
    """How long and how fast to learn, on what: exactly one of `steps` and `seconds` is given.

    The seconds are those of learning: preparing scans and validating come on top.
    """

    model_config = ConfigDict(frozen=True)

    steps: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    learning_rate: Annotated[float, Field(gt=0)] = LEARNING_RATE
    device: DeviceName = "auto"

    @model_validator(mode="after")
    def _one_budget(self) -> RunSettings:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("Give either a number of steps or a number of seconds to train for.")
        return self


class TrainingSettings(RunSettings):
    """How to train a network that segments.

    Attributes:
        method: how to learn.
        confidence: least probability, 0..1, of a guess that `local_contrastive` learns from; 0 takes all.
    """

    method: MethodName = "automatic"
    confidence: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _confidence_is_looked_at(self) -> TrainingSettings:
        if self.confidence > 0 and self.method != "local_contrastive":
            raise ValueError("Only the method local_contrastive has a least confidence of guesses.")
        return self


class PretrainingSettings(RunSettings):
    """How to pretrain an encoder, which needs no annotation."""

    method: PretextName = "pgl"
    learning_rate: Annotated[float, Field(gt=0)] = PRETRAINING_LEARNING_RATE
