"""What is seen of a job from another process, and stopping it from there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import psutil
import pytest
from medssl.jobs import cancel_job, job_state, states
from medssl.project import Project

_BACKEND = Path(__file__).parents[2] / "backend"
# What a job's process does, with waiting in place of work; `deaf` never looks whether it should stop.
_PROGRAM = """
import sys, time
from pathlib import Path
from medssl.errors import Cancelled
from medssl.events import Monitor
from medssl.jobs.files import JobFiles
from medssl.project import Project
folder, job, deaf = sys.argv[1], sys.argv[2], sys.argv[3] == "deaf"
with Project.open(Path(folder)) as project, JobFiles(project.job(job).folder, Monitor()) as files:
    project.set_job_state(job, "running")
    print("working", flush=True)
    try:
        while True:
            time.sleep(0.05)
            if not deaf:
                files.check()
    except Cancelled:
        project.set_job_state(job, "cancelled")
"""

Worker: TypeAlias = Callable[..., "tuple[str, subprocess.Popen[str]]"]


@pytest.fixture
def start_worker(project: Project) -> Iterator[Worker]:
    """Start a process that runs a job of the project; the job's id and the process."""
    started: list[subprocess.Popen[str]] = []

    def start(manners: str = "polite") -> tuple[str, subprocess.Popen[str]]:
        row = project.new_job("train", "{}")
        command = [sys.executable, "-c", _PROGRAM, str(project.folder), row.id, manners]
        environment = {**os.environ, "PYTHONPATH": str(_BACKEND)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        return row.id, process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_another_process_can_ask_a_job_to_stop(project: Project, start_worker: Worker) -> None:
    job, process = start_worker()
    assert job_state(project.job(job)) == "running"

    assert cancel_job(project, job) == "cancelled"

    assert process.wait(timeout=60) == 0


def test_a_job_that_ends_while_its_process_is_looked_for_is_not_called_interrupted(
    project: Project, start_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, process = start_worker("deaf")
    find_process = states.find_process

    def find_late(*named: object) -> psutil.Process | None:
        if project.job(job).state == "cancelling":  # after the row was read: the worker's last acts
            project.set_job_state(job, "cancelled")
            process.kill()
            process.wait()
        return find_process(*named)

    monkeypatch.setattr(states, "find_process", find_late)

    assert cancel_job(project, job) == "cancelled"


def test_a_job_that_stops_as_soon_as_it_is_asked_is_cancelled_and_no_wrong_use(
    project: Project, start_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, process = start_worker("deaf")
    advance_job = project.advance_job

    def advance_late(*change: object) -> object:
        project.set_job_state(job, "cancelled")  # after the worker was asked, before the row says so
        process.kill()
        process.wait()
        return advance_job(*change)

    monkeypatch.setattr(project, "advance_job", advance_late)

    assert cancel_job(project, job) == "cancelled"


def test_a_job_that_does_not_stop_when_asked_is_ended(project: Project, start_worker: Worker) -> None:
    job, process = start_worker("deaf")

    state = cancel_job(project, job, wait_s=0.3)

    assert state not in ("running", "cancelling")
    assert not psutil.pid_exists(process.pid)


def test_a_job_whose_process_is_gone_is_interrupted(project: Project, start_worker: Worker) -> None:
    job, process = start_worker()

    process.kill()
    process.wait()

    assert job_state(project.job(job)) == "interrupted"
    assert project.job(job).state == "running"


def test_a_job_is_found_and_ended_when_the_computer_was_renamed_meanwhile(
    project: Project, start_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, process = start_worker("deaf")
    monkeypatch.setattr("socket.gethostname", lambda: "laptop-at-work")

    assert job_state(project.job(job)) == "running"
    cancel_job(project, job, wait_s=0.3)

    assert not psutil.pid_exists(process.pid)
