"""Results of a benchmark that nobody had to train for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from medssl.evaluation.benchmark.runs import Arm, CaseResult, Run, RunResult
from medssl.evaluation.benchmark.settings import Measure, Start

MEASURE = Measure(held_out=3, steps=100)


@pytest.fixture
def make_result() -> Callable[..., RunResult]:
    """A result with a Dice for each case, of one segment."""

    def make(
        method: str, dice: Sequence[float | None], seed: int = 0, annotated: int = 1, **start: object
    ) -> RunResult:
        arm = Arm.model_validate({"method": method, "start": Start.model_validate(start)})
        run = Run(dataset="Made up", measure=MEASURE, annotated=annotated, arm=arm, seed=seed)
        cases = tuple(
            CaseResult(name=f"case {i}", dice=(value,), whole=value, uncertainty=0.1 * i)
            for i, value in enumerate(dice)
        )
        return RunResult(
            run=run, segments=("Liver",), cases=cases, steps=100, seconds=1.0, medssl_version="0"
        )

    return make
