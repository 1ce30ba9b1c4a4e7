"""Killed at random moments, engine or worker or both: nothing a person drew is lost, and the job goes on.

MEDSSL_KILLS=100 kills so often in each kind of work; without it a few kills during an import are tried.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from medssl.events import Monitor
from medssl.imaging.labels import read_labels
from medssl.jobs import (
    REQUEST,
    ImportRequest,
    PredictRequest,
    Request,
    TrainRequest,
    read_result,
    run_job,
    settings_for,
)
from medssl.jobs.launching import worker_environment
from medssl.phantom import SCHEMA
from medssl.processes import find_process
from medssl.project import JobRow, Project

_KILLS = int(os.environ.get("MEDSSL_KILLS", "0"))
_FEW = 2
_CASES = 24
_PATIENCE_S = 300.0
# What a service does: it finds its jobs again, and a person resumes those that failed.
_ENGINE = """
import sys, time
from pathlib import Path
from medssl.jobs import REQUEST
from medssl.jobs.engine import Engine
folder = Path(sys.argv[1])
engine = Engine([folder])
engine.start()
if not any(job.request == sys.argv[2] for job in engine.jobs(folder)):
    engine.submit(folder, REQUEST.validate_json(sys.argv[2]))
while True:
    for job in engine.jobs(folder):
        if job.state == "failed":
            engine.resume(folder, job.id)
    time.sleep(0.2)
"""


@contextmanager
def _engine(folder: Path, request: Request) -> Iterator[psutil.Process]:
    command = [sys.executable, "-c", _ENGINE, str(folder), request.model_dump_json()]
    with subprocess.Popen(command, env=worker_environment(os.environ)) as child:
        try:
            yield psutil.Process(child.pid)
        finally:
            child.kill()


def _job(folder: Path, request: Request) -> JobRow | None:
    with Project.open(folder) as project:
        return next((job for job in project.jobs() if job.request == request.model_dump_json()), None)


def _kill_at_random(folder: Path, request: Request, rng: random.Random, seconds: float) -> None:
    """Start an engine, wait a moment, and kill it, the worker, or both."""
    victims = rng.choice(("engine", "worker", "both"))
    with _engine(folder, request) as engine:
        time.sleep(rng.uniform(0, seconds))
        job = _job(folder, request)
        if victims != "engine" and job is not None and job.state == "running":
            worker = find_process(job.process_id, job.process_mark)
            if worker is not None:
                worker.kill()
        if victims == "worker":
            time.sleep(rng.uniform(0, 1))
        engine.kill()


def _go_on_to_the_end(folder: Path, request: Request) -> JobRow:
    with _engine(folder, request):
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            job = _job(folder, request)
            if job is not None and job.state == "finished":
                return job
            time.sleep(0.1)
    pytest.fail(f"The job did not finish: {_job(folder, request)}")


def _check_annotations(folder: Path, drawn: np.ndarray) -> int:
    """Every annotation the project knows is there, bit for bit; returns how many."""
    count = 0
    with Project.open(folder) as project:
        for case in project.cases(state="annotated"):
            annotation = project.case(case.id).annotation
            assert annotation is not None
            assert np.array_equal(project.read_annotation(annotation), drawn)
            count += 1
    return count


def test_an_import_that_is_killed_again_and_again_loses_no_annotation(
    tmp_path: Path, small_dataset: Path
) -> None:
    dataset = tmp_path / "dataset"
    shutil.copytree(small_dataset, dataset)
    pairs = []
    for number in range(_CASES):
        names = [f"./{kind}Tr/case_{number}.nii.gz" for kind in ("images", "labels")]
        for name, kind in zip(names, ("images", "labels"), strict=True):
            os.link(dataset / f"{kind}Tr" / "small_1.nii.gz", dataset / name)
        pairs.append({"image": names[0], "label": names[1]})
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**content, "training": pairs, "test": []}))
    drawn = read_labels(dataset / "labelsTr" / "case_0.nii.gz").volume.array
    folder = tmp_path / "project"
    Project.create(folder, SCHEMA).close()
    request = REQUEST.validate_python(ImportRequest(folder=dataset))
    rng = random.Random(5)
    before = 0
    for _ in range(_KILLS or _FEW):
        _kill_at_random(folder, request, rng, 3.0)
        there = _check_annotations(folder, drawn)
        assert there >= before
        before = there

    done = _go_on_to_the_end(folder, request)

    assert _check_annotations(folder, drawn) == _CASES
    assert read_result(done.folder) is not None


@pytest.mark.skipif(not _KILLS, reason="MEDSSL_KILLS says how often to kill a training and a folder run")
def test_a_training_and_a_folder_run_that_are_killed_again_and_again_come_to_their_end(
    tmp_path: Path, small_dataset: Path
) -> None:
    folder = tmp_path / "project"
    with Project.create(folder, SCHEMA) as project:
        run_job(project, ImportRequest(folder=small_dataset, annotated=1), Monitor())
    train = TrainRequest(settings=settings_for("quick", seconds=20.0, device="cpu"))
    rng = random.Random(7)
    for _ in range(_KILLS):
        _kill_at_random(folder, train, rng, 15.0)
    _go_on_to_the_end(folder, train)
    with Project.open(folder) as project:
        model = project.model().id
    predict = PredictRequest(
        inputs=(small_dataset / "imagesTr",), output=tmp_path / "out", model=model, device="cpu"
    )
    for _ in range(_KILLS):
        _kill_at_random(folder, predict, rng, 12.0)
    _go_on_to_the_end(folder, predict)
    assert len(list((tmp_path / "out").glob("*.seg.nrrd"))) == 6
