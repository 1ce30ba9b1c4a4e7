"""What real processes leave behind when they are stopped, politely or not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from medssl.evaluation.benchmark.benchmark import RUNS
from medssl.evaluation.benchmark.runs import read_results
from medssl.events import Log, Monitor
from medssl.jobs import TrainResult, job_state, read_events, resume_job
from medssl.learning.loop import CHECKPOINT_S
from medssl.learning.training import CHECKPOINT
from medssl.project import Project

_OFTEN = "import medssl.learning.loop as loop; loop.CHECKPOINT_S = 0.0"
_TRAINING = ("train", "--seconds", "4", "--method", "supervised", "--device", "cpu", "--project")


def steps_gone_on_from(project: Project, job: str) -> int:
    """At which step a job that was resumed went on, as it says itself."""
    texts = [event.text for event in read_events(project.job(job).folder) if isinstance(event, Log)]
    (step,) = (text for text in texts if text.startswith("Going on from step "))
    return int(step.split()[-1].rstrip("."))


def test_a_killed_training_is_found_as_interrupted_and_goes_on_from_its_checkpoint(
    project_folder: Path,
    start_medssl: Callable[..., object],
    job_that_trains: Callable[[Path], str],
    medssl: Callable[..., tuple[int, str, str]],
) -> None:
    process = start_medssl(*_TRAINING, project_folder, before=_OFTEN)
    job = job_that_trains(project_folder)
    assert "running" in medssl("job", "list", "--project", project_folder)[1]
    while not list((project_folder / "jobs" / job).rglob(CHECKPOINT)):
        assert process.poll() is None
        time.sleep(0.01)

    process.kill()
    process.communicate()

    assert "interrupted" in medssl("job", "list", "--project", project_folder)[1]
    with Project.open(project_folder) as project:
        result = resume_job(project, job, Monitor()).result
        assert isinstance(result, TrainResult)
        assert project.model().id == result.model_id
        assert job_state(project.job(job)) == "finished"
        assert steps_gone_on_from(project, job) > 0
    assert 0 < CHECKPOINT_S <= 30  # without the lines that this test puts before the command


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl+C to whole consoles only")
def test_ctrl_c_keeps_a_checkpoint_from_which_the_training_goes_on(
    project_folder: Path, start_medssl: Callable[..., object], job_that_trains: Callable[[Path], str]
) -> None:
    process = start_medssl(*_TRAINING, project_folder)
    job = job_that_trains(project_folder)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert f"medssl job resume {job}" in errors
    assert "Traceback" not in errors
    with Project.open(project_folder) as project:
        assert project.job(job).state == "cancelled"
        resume_job(project, job, Monitor())
        assert steps_gone_on_from(project, job) > 0


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl+C to whole consoles only")
def test_a_comparison_of_methods_that_was_stopped_goes_on_as_a_job(
    small_dataset: Path,
    tmp_path: Path,
    start_medssl: Callable[..., object],
    job_that_trains: Callable[[Path], str],
    medssl: Callable[..., tuple[int, str, str]],
) -> None:
    out, quick = tmp_path / "out", ("--methods", "supervised", "--threads", 1, "--device", "cpu")
    process = start_medssl(
        "benchmark", "annotations", small_dataset, "-o", out, "--held-out", 2, "--seconds", 4,
        "--annotated", 1, "--seeds", 0, *quick,
    )  # fmt: skip
    job = job_that_trains(out / "project")

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    (checkpoint,) = (out / "working").rglob("checkpoint*")
    code, _, told = medssl("job", "resume", job, "--project", out / "project")

    assert (process.returncode, f"medssl job resume {job}" in errors, code) == (130, True, 0)
    assert "supervised, 1 case, seed 0: Dice" in told
    assert not checkpoint.exists()
    (result,) = read_results(out / RUNS).values()
    assert result.seconds == pytest.approx(4, abs=0.5)  # what was trained before the stop counts
