"""Jobs of computers that cannot be looked at: those of another name, of a container, of a network drive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeAlias

import psutil
import pytest
from medssl.errors import ProjectError, UsageError
from medssl.host import computer_id
from medssl.jobs import ImportRequest, cancel_job, job_state, read_events, resume_job
from medssl.jobs.engine import Engine
from medssl.jobs.heartbeat import ALIVE_FILE
from medssl.jobs.run import queue_job
from medssl.jobs.waiting import WAITING_FILE
from medssl.project import JobRow, Project
from watching import Watcher

_BACKEND = Path(__file__).parents[2] / "backend"
_NAME = "laptop-at-home"
_PATIENCE_S = 90.0
_BOOT = "11111111-2222-3333-4444-555555555555"
# A job that another computer runs: another name, another start of Linux, the same project. It stands still
# in the middle of its work until the file `go` is there.
_PROGRAM = """
import socket, sys, time
from pathlib import Path
from medssl import processes
from medssl.errors import Cancelled
from medssl.events import Monitor
from medssl.jobs import REQUEST, heartbeat, run_job
from medssl.project import Project
folder, request, go, name, boot = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4], sys.argv[5]
socket.gethostname = lambda: name
if boot:
    processes._BOOT = go.with_name("boot")
    processes._BOOT.write_text(boot)
heartbeat._BEAT_S = 0.1
def stand_still(event):
    if event.kind == "progress":
        print("working", flush=True)
        while not go.exists():
            time.sleep(0.02)
        time.sleep(1.0)
with Project.open(folder) as project:
    try:
        run_job(project, REQUEST.validate_json(request), Monitor(stand_still))
    except Cancelled:
        print("given up", flush=True)
"""

Start: TypeAlias = Callable[..., "tuple[JobRow, subprocess.Popen[str]]"]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells where a process ran by files"
)


@pytest.fixture
def start_elsewhere(project: Project, small_dataset: Path, tmp_path: Path) -> Iterator[Start]:
    """Let another computer begin a job of the project; the job and its process."""
    started: list[subprocess.Popen[str]] = []

    def start(boot: str = _BOOT) -> tuple[JobRow, subprocess.Popen[str]]:
        request = ImportRequest(folder=small_dataset, annotated=2, validation=2).model_dump_json()
        program = [sys.executable, "-c", _PROGRAM]
        command = [*program, str(project.folder), request, str(tmp_path / "go"), _NAME, boot]
        environment = {**os.environ, "PYTHONPATH": str(_BACKEND)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        return project.jobs()[0], process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _let_pass(row: JobRow, seconds: float) -> None:
    """As if the last sign of life had been so long ago, and everything else that the job wrote."""
    for path in row.folder.iterdir():
        before = path.stat().st_mtime - seconds
        os.utime(path, (before, before))


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_that_lives_on_another_computer_is_neither_begun_again_nor_ended(
    project: Project, start_elsewhere: Start
) -> None:
    row, process = start_elsewhere()
    _let_pass(row, 3600)
    _wait_until(lambda: job_state(project.job(row.id)) == "running")  # the next beat

    with pytest.raises(UsageError, match=f"running on {_NAME}; it cannot be resumed") as refused:
        resume_job(project, row.id, Watcher())
    with pytest.raises(ProjectError, match=_NAME):
        cancel_job(project, row.id, wait_s=0.0)

    assert "5 minutes" in refused.value.remedy
    assert process.poll() is None


def test_a_job_without_a_sign_of_life_of_another_computer_can_be_resumed(
    project: Project, start_elsewhere: Start
) -> None:
    row, process = start_elsewhere()
    process.kill()
    process.wait()
    assert job_state(project.job(row.id)) == "running"  # as far as one can know
    with pytest.raises(ProjectError, match=_NAME):
        cancel_job(project, row.id, wait_s=0.0)
    assert project.job(row.id).state == "cancelling"

    _let_pass(row, 400)

    assert job_state(project.job(row.id)) == "interrupted"
    resume_job(project, row.id, Watcher())
    assert project.job(row.id).state == "finished"


def test_a_job_that_was_taken_over_while_its_computer_slept_is_left_to_the_other(
    project: Project, start_elsewhere: Start, tmp_path: Path
) -> None:
    row, process = start_elsewhere()
    asleep = psutil.Process(process.pid)
    asleep.suspend()
    _wait_until(lambda: asleep.status() == psutil.STATUS_STOPPED)  # it may be writing its last sign of life
    _let_pass(row, 400)
    resume_job(project, row.id, Watcher())
    states = [event for event in read_events(row.folder) if event.kind == "state"]

    (tmp_path / "go").touch()
    asleep.resume()

    assert process.stdout is not None
    assert "given up" in process.stdout.read()
    assert project.job(row.id).state == "finished"
    assert project.job(row.id).host != _NAME
    assert [event for event in read_events(row.folder) if event.kind == "state"] == states


def test_an_engine_leaves_the_jobs_of_another_computer_to_a_person(
    project: Project, start_elsewhere: Start
) -> None:
    row, process = start_elsewhere()
    process.kill()
    process.wait()
    engine = Engine([project.folder])
    try:
        engine.recover(project.folder)
        _let_pass(row, 400)
        engine.recover(project.folder)
        assert project.job(row.id).state == "running"
        assert engine.idle
        engine.start()
        engine.resume(project.folder, row.id)
        _wait_until(lambda: project.job(row.id).state == "finished")
    finally:
        engine.stop(graceful=False)


def test_a_job_that_waits_on_another_computer_begins_here_when_a_person_wants_it(
    project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: _NAME)
        row = queue_job(project, ImportRequest(folder=small_dataset, annotated=2, validation=2))
    engine = Engine([project.folder])
    try:
        engine.recover(project.folder)
        assert (engine.idle, project.job(row.id).state) == (True, "queued")
        engine.start()
        engine.resume(project.folder, row.id)
        _wait_until(lambda: project.job(row.id).state == "finished")
    finally:
        engine.stop(graceful=False)


def test_a_job_of_a_version_that_did_not_note_where_it_waits_begins_on_this_computer(
    project: Project, small_dataset: Path
) -> None:
    row = queue_job(project, ImportRequest(folder=small_dataset))
    (row.folder / WAITING_FILE).unlink()
    engine = Engine()
    engine.recover(project.folder)
    assert not engine.idle
    engine.stop(graceful=False)


def test_a_job_of_a_version_without_signs_of_life_is_believed_for_longer(
    project: Project, start_elsewhere: Start
) -> None:
    row, process = start_elsewhere()
    process.kill()
    process.wait()
    (row.folder / ALIVE_FILE).unlink()

    _let_pass(row, 400)
    assert job_state(project.job(row.id)) == "running"
    _let_pass(row, 3600)
    assert job_state(project.job(row.id)) == "interrupted"


def test_a_sign_of_life_from_the_future_is_none(project: Project, start_elsewhere: Start) -> None:
    row, process = start_elsewhere()
    process.kill()
    process.wait()
    _let_pass(row, -timedelta(days=400).total_seconds())
    assert job_state(project.job(row.id)) == "interrupted"


def test_a_computer_that_was_renamed_sees_at_once_that_its_job_is_gone(start_elsewhere: Start) -> None:
    row, process = start_elsewhere(boot="")
    assert job_state(row) == "running"
    process.kill()
    process.wait()
    assert job_state(row) == "interrupted"


def test_the_file_of_signs_can_be_read_by_people(project: Project, start_elsewhere: Start) -> None:
    row, process = start_elsewhere()
    told = json.loads((row.folder / ALIVE_FILE).read_text(encoding="utf-8"))
    assert told["process_id"] == process.pid == row.process_id
    assert told["computer"] != computer_id()
    assert row.started is not None
    assert row.started < datetime.now(timezone.utc)
