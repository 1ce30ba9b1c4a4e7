"""Of two trainings of a project on one device, the second is refused while the first one's process lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from medssl.errors import MedSSLError
from medssl.jobs import PretrainRequest, Request, TrainRequest, job_state, run, run_job
from medssl.jobs.neighbours import only_trainer
from medssl.jobs.run import queue_job
from medssl.learning.settings import PretrainingSettings, TrainingSettings
from medssl.project import JobRow, Project

Medssl = Callable[..., tuple[int, str, str]]
Start = Callable[..., "subprocess.Popen[str]"]

_BACKEND = Path(__file__).parents[2] / "backend"
# Says that it trains, and waits.
_TRAINER = """
import sys, time
from pathlib import Path
from medssl.project import Project
with Project.open(Path(sys.argv[1])) as project:
    project.set_job_state(sys.argv[2], "running")
    print("running", flush=True)
    time.sleep(600)
"""


def on(device: str) -> TrainRequest:
    return TrainRequest(settings=TrainingSettings(steps=1, device=device))


def test_a_second_training_is_refused_with_the_first_ones_name_until_that_one_is_gone(
    medssl: Medssl,
    start_medssl: Start,
    job_that_trains: Callable[[Path], str],
    project_folder: Path,
) -> None:
    quick = ("train", "--steps", "1", "--method", "supervised", "--device", "cpu", "-p", project_folder)
    first = start_medssl("train", "--seconds", "600", "--device", "cpu", "-p", project_folder)
    job = job_that_trains(project_folder)

    second = start_medssl(*quick)
    out, err = second.communicate(timeout=120)
    assert (second.returncode, out) == (1, "")
    assert err.startswith(f"The training {job} of this project runs already on the processor, since ")
    assert f"'medssl job cancel {job} --project \"{project_folder}\"'" in err
    assert first.poll() is None
    code, _, err = medssl("pretrain", "--steps", "1", "--device", "cpu", "-p", project_folder)
    assert (code, job in err) == (1, True)
    _, out, _ = medssl("job", "list", "--json", "-p", project_folder)
    trainings = [json.loads(line)["id"] for line in out.splitlines() if "train" in json.loads(line)["kind"]]
    assert trainings == [job]

    first.kill()  # SIGKILL: it can clean up nothing
    first.communicate()
    code, out, err = medssl(*quick)
    assert (code, "1 step" in out) == (0, True), err
    assert "interrupted" in medssl("job", "show", job, "-p", project_folder)[1]


def test_of_trainings_that_begin_in_the_same_moment_one_does(project_folder: Path) -> None:
    together = threading.Barrier(8, timeout=60)
    with Project.open(project_folder) as project:
        rows = [queue_job(project, on("cpu")) for _ in range(8)]

    def begin(row: JobRow) -> str:
        with Project.open(project_folder) as project:
            beside = only_trainer(on("cpu"))
            together.wait()
            try:
                return "" if project.advance_job(row, "running", beside=beside) else "taken"
            except MedSSLError as refused:
                return refused.what

    with ThreadPoolExecutor(8) as all_of_them:
        answers = list(all_of_them.map(begin, rows))

    assert answers.count("") == 1
    winner = rows[answers.index("")].id
    assert all(winner in answer for answer in answers if answer)
    with Project.open(project_folder) as project:
        assert [job_state(project.job(row.id)) for row in rows].count("queued") == 7


def test_a_training_that_another_one_forestalled_has_failed_and_is_not_run_later(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[JobRow]()

    def be_slow(project: Project, request: Request) -> JobRow:
        made.extend((queue_job(project, request), queue_job(project, request)))
        project.advance_job(made[1], "running")
        return made[0]

    monkeypatch.setattr(run, "queue_job", be_slow)
    with Project.open(project_folder) as project:
        with pytest.raises(MedSSLError, match=r"The training .* runs already"):
            run_job(project, on("cpu"))
        failed = project.job(made[0].id)
    assert (failed.state, made[1].id in failed.error) == ("failed", True)


@pytest.mark.parametrize(
    ("running", "theirs", "wanted", "ours", "refused"),
    [
        ("cpu", None, "cpu", None, True),
        ("cpu", None, "cuda", None, False),
        ("cuda", None, "cuda", None, True),
        ("cuda", "0", "cuda", "1", False),
        ("cuda", "0,1", "cuda", "1,2", True),
        ("cuda", "0", "cuda", None, True),
    ],
)
def test_only_trainings_on_one_device_stand_in_each_others_way(
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    running: str,
    theirs: str | None,
    wanted: str,
    ours: str | None,
    refused: bool,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    environment = {**os.environ, "PYTHONPATH": str(_BACKEND)}
    environment |= {} if theirs is None else {"CUDA_VISIBLE_DEVICES": theirs}
    if ours is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ours)
    with Project.open(project_folder) as project:
        row = queue_job(project, on(running))
        command = [sys.executable, "-c", _TRAINER, str(project_folder), row.id]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            said = ""
            try:
                only_trainer(on(wanted))(project.job(row.id))
            except MedSSLError as error:
                said = str(error)
            process.kill()
        assert (row.id in said) == refused, said
        only_trainer(on(wanted))(project.job(row.id))  # its process is gone


def test_a_pretraining_is_a_training_too(project_folder: Path) -> None:
    pretraining = PretrainRequest(settings=PretrainingSettings(steps=1, device="cpu"))
    with Project.open(project_folder) as project:
        row = queue_job(project, pretraining)
        project.advance_job(row, "running")
        with pytest.raises(MedSSLError, match=f"The pretraining {row.id} of this project"):
            only_trainer(on("cpu"))(project.job(row.id))
