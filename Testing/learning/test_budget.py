"""A budget of steps or of time, and what is left of it."""

from __future__ import annotations

import pytest
from medssl.learning.budget import Budget
from medssl.learning.settings import TrainingSettings
from pydantic import ValidationError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_steps_are_counted() -> None:
    clock = Clock()
    budget = Budget(TrainingSettings(steps=10), clock)
    for _ in range(4):
        clock.now += 2
        budget.count()
    assert budget.fraction == 0.4
    assert budget.left_s == pytest.approx(12)
    assert budget.expected_steps == 10


def test_time_is_counted_and_steps_are_expected_from_the_pace() -> None:
    clock = Clock()
    budget = Budget(TrainingSettings(seconds=20), clock)
    for _ in range(4):
        clock.now += 2
        budget.count()
    assert budget.fraction == pytest.approx(0.4)
    assert budget.left_s == pytest.approx(12)
    assert budget.expected_steps == 10


def test_time_between_interruption_and_resumption_does_not_count() -> None:
    clock = Clock()
    clock.now = 5000.0
    budget = Budget(TrainingSettings(seconds=20), clock, step=7, elapsed_s=15.0)
    assert budget.elapsed_s == pytest.approx(15)
    assert budget.fraction == pytest.approx(0.75)


def test_no_training_time_passes_in_a_pause() -> None:
    clock = Clock()
    budget = Budget(TrainingSettings(seconds=20), clock)
    clock.now += 5
    budget.count()
    with budget.paused():
        clock.now += 1000
    clock.now += 3
    budget.count()
    assert (budget.elapsed_s, budget.fraction) == (pytest.approx(8), pytest.approx(0.4))
    resumed = Budget(TrainingSettings(seconds=20), Clock(), step=budget.step, elapsed_s=budget.elapsed_s)
    assert (resumed.elapsed_s, resumed.left_s) == (pytest.approx(8), pytest.approx(12))


def test_a_pause_that_ends_in_an_error_does_not_count_either() -> None:
    clock = Clock()
    budget = Budget(TrainingSettings(seconds=20), clock)
    with pytest.raises(RuntimeError), budget.paused():
        clock.now += 1000
        raise RuntimeError
    clock.now += 3
    budget.count()
    assert budget.elapsed_s == pytest.approx(3)


@pytest.mark.parametrize(
    ("steps_s", "expected_s"),
    [((2, 2, 8 * 3600, 2), 8), ((2, 2, 59, 2), 65), ((10, 10, 150, 10), 180)],
)
def test_a_night_that_the_computer_sleeps_is_no_training_time_and_a_slow_step_is(
    steps_s: tuple[float, ...], expected_s: float
) -> None:
    clock = Clock()
    budget = Budget(TrainingSettings(seconds=200), clock)
    for seconds in steps_s:
        clock.now += seconds
        budget.count()
    assert (budget.elapsed_s, budget.left_s) == (pytest.approx(expected_s), pytest.approx(200 - expected_s))


@pytest.mark.parametrize("settings", [TrainingSettings(steps=10), TrainingSettings(seconds=20)])
def test_pauses_to_come_count_in_what_is_left_and_not_in_the_pace(settings: TrainingSettings) -> None:
    clock = Clock()
    budget = Budget(settings, clock)
    for to_come in (3, 2):
        for _ in range(2):
            clock.now += 2
            budget.count()
        with budget.paused(to_come):
            clock.now += 50
    assert budget.left_s == pytest.approx(12 + 2 * 50)
    assert budget.expected_steps == 10


def test_the_pace_follows_the_last_steps() -> None:
    clock = Clock()
    budget = Budget(TrainingSettings(steps=1000), clock)
    for seconds in (10.0,) * 50 + (1.0,) * 100:
        clock.now += seconds
        budget.count()
    assert budget.left_s == pytest.approx(850, rel=0.05)


@pytest.mark.parametrize("given", [{}, {"steps": 1, "seconds": 1.0}, {"steps": 0}, {"seconds": 0.0}])
def test_exactly_one_sensible_budget_is_given(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TrainingSettings.model_validate(given)
