"""One job a device, and light ones beside a training where memory permits."""

from __future__ import annotations

from pathlib import Path

import pytest
from medssl.evaluation.benchmark.settings import BenchmarkSettings, Measure
from medssl.jobs import (
    BenchmarkRequest,
    EvaluateRequest,
    ImportRequest,
    PredictRequest,
    PretrainRequest,
    ProposeRequest,
    Request,
    TrainRequest,
    pretraining_settings_for,
    settings_for,
)
from medssl.jobs.placement import (
    BESIDE_TRAINING_BYTES,
    SETTLED_S,
    FreeMemory,
    Place,
    Task,
    has_gpu,
    may_start,
    task_of,
)

_MUCH = FreeMemory(BESIDE_TRAINING_BYTES, BESIDE_TRAINING_BYTES)
_HERE = Path("anywhere")
_MEASURE = BenchmarkSettings(dataset=_HERE, measure=Measure(held_out=1, steps=2))


@pytest.mark.parametrize(
    ("request_", "with_gpu", "without"),
    [
        (TrainRequest(settings=settings_for("quick", device="auto")), "gpu", "cpu"),
        (TrainRequest(settings=settings_for("quick", device="cpu")), "cpu", "cpu"),
        (TrainRequest(settings=settings_for("quick", device="cuda")), "gpu", "gpu"),
        (PretrainRequest(settings=pretraining_settings_for("quick")), "gpu", "cpu"),
        (BenchmarkRequest(settings=_MEASURE, output=_HERE), "gpu", "cpu"),
        (ProposeRequest(), "gpu", "cpu"),
        (PredictRequest(inputs=(_HERE,), output=_HERE, device="cpu"), "cpu", "cpu"),
        (EvaluateRequest(output=_HERE), "gpu", "cpu"),
        (EvaluateRequest(output=_HERE, predictions=_HERE, references=_HERE), "disk", "disk"),
        (ImportRequest(folder=_HERE), "disk", "disk"),
    ],
)
def test_a_request_keeps_busy_what_it_computes_on(request_: Request, with_gpu: Place, without: Place) -> None:
    assert task_of(request_, gpu=True).place == with_gpu
    assert task_of(request_, gpu=False).place == without
    assert task_of(request_, gpu=True).trains == isinstance(
        request_, TrainRequest | PretrainRequest | BenchmarkRequest
    )


@pytest.mark.parametrize("place", ["gpu", "cpu", "disk"])
def test_a_device_takes_one_job_and_other_devices_do_not_wait(place: Place) -> None:
    job = Task(place, trains=False)
    others: list[Place] = [other for other in ("gpu", "cpu", "disk") if other != place]
    assert may_start(job, [])
    assert may_start(job, [(Task(other, trains=True), 99.0) for other in others])
    assert not may_start(job, [(job, 99.0)], lambda: _MUCH)


@pytest.mark.parametrize("place", ["gpu", "cpu"])
def test_a_scan_is_segmented_beside_a_settled_training_when_memory_is_free(place: Place) -> None:
    training, light = Task(place, trains=True), Task(place, trains=False)
    beside = [(training, SETTLED_S)]
    assert may_start(light, beside, lambda: _MUCH)
    assert not may_start(light, [(training, SETTLED_S - 1)], lambda: _MUCH)
    assert not may_start(light, [*beside, (light, 1.0)], lambda: _MUCH)
    assert not may_start(training, beside, lambda: _MUCH)
    assert not may_start(training, [(light, 99.0)], lambda: _MUCH)
    assert not may_start(light, beside, lambda: FreeMemory(BESIDE_TRAINING_BYTES - 1, 99 << 30))


def test_memory_of_the_gpu_matters_only_where_it_is_used() -> None:
    little = FreeMemory(99 << 30, BESIDE_TRAINING_BYTES - 1)
    for place, allowed in (("gpu", False), ("cpu", True)):
        training, light = Task(place, trains=True), Task(place, trains=False)
        assert may_start(light, [(training, SETTLED_S)], lambda: little) is allowed


def test_a_gpu_that_is_hidden_from_workers_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not has_gpu()
    assert FreeMemory.look().main_bytes > 0
