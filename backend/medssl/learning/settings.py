"""What a person decides about a training; everything else is the plan's."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

MethodName: TypeAlias = Literal["supervised", "dual_task", "dual_task_published"]
DeviceName: TypeAlias = Literal["auto", "cpu", "cuda"]

LEARNING_RATE = 3e-3
REFINING_LEARNING_RATE = 1e-3


class TrainingSettings(BaseModel):
    """How to train: exactly one of `steps` and `seconds` is given."""

    model_config = ConfigDict(frozen=True)

    method: MethodName = "dual_task"
    steps: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    learning_rate: Annotated[float, Field(gt=0)] = LEARNING_RATE
    device: DeviceName = "auto"

    @model_validator(mode="after")
    def _one_budget(self) -> TrainingSettings:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("Give either a number of steps or a number of seconds to train for.")
        return self
