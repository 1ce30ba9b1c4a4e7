"""A training that was killed when its model was there already makes no second one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from medssl.events import Progress
from medssl.jobs import (
    PretrainRequest,
    PretrainResult,
    Request,
    TrainRequest,
    TrainResult,
    read_result,
    resume_job,
    run_job,
    settings_for,
)
from medssl.learning.job_model import MODEL
from medssl.learning.settings import PretrainingSettings
from medssl.learning.training import CHECKPOINT
from medssl.project import Project
from watching import Watcher

_TRAIN = TrainRequest(settings=settings_for("quick", steps=2, device="cpu"))
_PRETRAIN = PretrainRequest(settings=PretrainingSettings(method="relative_location", steps=2, device="cpu"))
# What a power cut does when the result of the job is about to be written.
_KILLED = """
import os, sys
from pathlib import Path
from medssl.jobs import REQUEST, run, run_job
from medssl.project import Project

def write_text(path, text, write=run.write_text):
    if path.name == "result.json":
        os._exit(9)
    write(path, text)

run.write_text = write_text
with Project.open(Path(sys.argv[1])) as project:
    run_job(project, REQUEST.validate_json(sys.argv[2]))
"""


@pytest.mark.parametrize("request_", [_TRAIN, _PRETRAIN], ids=["train", "pretrain"])
def test_a_kill_before_the_result_is_written_costs_no_training_and_leaves_one_model(
    project: Project, request_: Request
) -> None:
    command = [sys.executable, "-c", _KILLED, str(project.folder), request_.model_dump_json()]
    assert subprocess.run(command, check=False).returncode == 9
    (made,) = project.models()
    job = next(row for row in project.jobs() if row.kind == request_.kind)
    assert read_result(job.folder) is None
    watcher = Watcher()
    result = resume_job(project, job.id, watcher).result
    assert isinstance(result, TrainResult | PretrainResult)
    assert (result.model_id, result.steps) == (made.id, 2)
    assert [model.id for model in project.models()] == [made.id]
    assert [path.name for path in (project.folder / "models").iterdir()] == [made.id]
    assert not any(isinstance(event, Progress) for event in watcher.events)


def test_a_checkpoint_that_a_kill_left_beside_the_model_goes(project: Project) -> None:
    result = run_job(project, _TRAIN).result
    assert isinstance(result, TrainResult)
    job = project.jobs()[0]
    (job.folder / "result.json").unlink()
    (job.folder / CHECKPOINT).write_bytes(b"as after a kill right after registering")
    project.set_job_state(job.id, "failed")
    again = resume_job(project, job.id, Watcher()).result
    assert again == result
    assert not (job.folder / CHECKPOINT).exists()


def test_a_model_that_was_deleted_meanwhile_is_made_anew(project: Project) -> None:
    run_job(project, _TRAIN)
    job, (made,) = project.jobs()[0], project.models()
    (job.folder / "result.json").unlink()
    project.delete_model(made.id)
    project.set_job_state(job.id, "failed")
    resume_job(project, job.id, Watcher())
    (again,) = project.models()
    assert again.id != made.id
    assert Path(job.folder / MODEL).read_text().strip() == again.id
