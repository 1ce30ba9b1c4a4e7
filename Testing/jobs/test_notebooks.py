"""A job that a notebook runs: its process does other things afterwards, which are none of the engine's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import medssl
import pytest
from medssl.jobs import SampleRequest
from medssl.jobs.engine import Engine
from medssl.phantom import SCHEMA
from medssl.project import Project

_BACKEND = Path(medssl.__file__).parents[1]
_PATIENCE_S = 60.0
_ASKED = SampleRequest(cases=2, annotated=0, validation=0)
# It stands still in the middle of its first job, and after each, until it is told to go on. A job looks
# twice a second whether it should stop.
_NOTEBOOK = """
import sys, time
from pathlib import Path
from medssl.errors import Cancelled
from medssl.events import Monitor
from medssl.jobs import REQUEST, run_job
from medssl.project import Project
def stand_still(event):
    if event.kind == "progress" and event.done == 1:
        print("working", flush=True)
        sys.stdin.readline()
        time.sleep(0.6)
with Project.open(Path(sys.argv[1])) as project:
    try:
        run_job(project, REQUEST.validate_json(sys.argv[2]), Monitor(stand_still))
    except Cancelled:
        pass
    print("something else", flush=True)
    sys.stdin.readline()
"""


class Notebook:
    """A process that runs a job and stays open."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _NOTEBOOK, str(folder), _ASKED.model_dump_json()],
            env={**os.environ, "PYTHONPATH": str(_BACKEND)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.wait_for("working")

    def wait_for(self, line: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{line}\n"

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty project."""
    with Project.create(tmp_path / "a project", SCHEMA) as made:
        return made.folder


@pytest.fixture
def notebook(folder: Path) -> Iterator[Notebook]:
    """One that is in the middle of a job of the project."""
    opened = Notebook(folder)
    yield opened
    opened.process.kill()
    opened.process.communicate()


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = Engine(stop_s=10.0)
    started.start()
    yield started
    started.stop(graceful=False)


def _until(reached: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < _PATIENCE_S, "it did not happen"
        time.sleep(0.02)


def test_a_notebook_whose_job_stopped_when_it_was_asked_to_lives_on(
    engine: Engine, folder: Path, notebook: Notebook
) -> None:
    job = engine.jobs(folder)[0]

    assert engine.cancel(folder, job.id).state == "cancelling"
    notebook.go_on()
    notebook.wait_for("something else")

    assert engine.job(folder, job.id).state == "cancelled"
    _until(lambda: engine.idle)  # it watches the process no more, which it would end otherwise
    assert notebook.process.poll() is None


def test_a_notebook_whose_job_has_ended_keeps_no_device_busy(
    engine: Engine, folder: Path, notebook: Notebook
) -> None:
    waiting = engine.submit(folder, _ASKED)
    _until(lambda: len(engine.jobs(folder)) == 2 and not engine.idle)
    notebook.go_on()
    notebook.wait_for("something else")

    _until(lambda: engine.job(folder, waiting.id).state == "finished" and engine.idle)

    assert notebook.process.poll() is None


def test_a_notebook_whose_job_does_not_stop_is_ended(folder: Path, notebook: Notebook) -> None:
    engine = Engine(stop_s=0.3)
    engine.start()
    job = engine.jobs(folder)[0]

    engine.cancel(folder, job.id)

    _until(lambda: notebook.process.poll() is not None)
    _until(lambda: engine.job(folder, job.id).state == "cancelled")
    engine.stop(graceful=False)
