"""A project that cannot be asked holds up no other one: the device is free when its job's process is gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from medssl.jobs import PretrainRequest, SampleRequest
from medssl.jobs.engine import Engine
from medssl.jobs.files import EVENTS_FILE, LOG_FILE
from medssl.jobs.launching import WORKER
from medssl.jobs.run import queue_job
from medssl.learning.settings import PretrainingSettings
from medssl.phantom import SCHEMA
from medssl.project import DATABASE_NAME, Project

_PATIENCE_S = 20.0  # less than a project waits that another program keeps busy
_ASKED = SampleRequest(cases=1, annotated=0, validation=0)


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = Engine()
    started.start()
    yield started
    started.stop(graceful=False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two empty projects, of which the first one will make trouble."""
    made = tmp_path / "troubled", tmp_path / "other"
    for folder in made:
        Project.create(folder, SCHEMA).close()
    return made


def _until(reached: Callable[[], object], seconds: float = _PATIENCE_S) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.02)


def _worker(folder: Path) -> psutil.Process | None:
    """The process that runs a job of a project."""
    for child in psutil.Process().children():
        try:
            command = child.cmdline()
        except psutil.Error:  # it is just gone
            continue
        if WORKER in command and str(folder) in command:
            return child
    return None


def _kill(folder: Path) -> None:
    _until(lambda: _worker(folder))
    worker = _worker(folder)
    assert worker is not None
    worker.kill()


def test_a_job_whose_project_was_replaced_by_an_older_copy_is_forgotten(
    engine: Engine, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    if os.name == "nt":
        pytest.skip("Windows removes no file that is open")
    troubled, other = folders
    copy = shutil.copyfile(troubled / DATABASE_NAME, tmp_path / "copy.db")
    for _ in range(2):  # one runs, and one waits
        engine.submit(troubled, _ASKED)
    _until(lambda: _worker(troubled))
    for name in ("", "-wal", "-shm"):
        (troubled / f"{DATABASE_NAME}{name}").unlink(missing_ok=True)
    copy.rename(troubled / DATABASE_NAME)

    _kill(troubled)

    _until(lambda: engine.idle)
    assert engine.jobs(troubled) == []
    engine.submit(other, _ASKED)
    _until(lambda: _worker(other))


def test_the_end_of_a_job_in_a_busy_project_is_written_later_and_holds_up_no_other_project(
    engine: Engine, folders: tuple[Path, Path]
) -> None:
    troubled, other = folders
    job = engine.submit(troubled, _ASKED)
    engine.submit(other, _ASKED)
    with closing(sqlite3.connect(troubled / DATABASE_NAME, isolation_level=None)) as program:
        _until(lambda: _worker(troubled))
        program.execute("BEGIN IMMEDIATE")

        _kill(troubled)

        _until(lambda: _worker(other))
        assert engine.job(troubled, job.id).state == "queued"
        program.execute("ROLLBACK")
    _until(lambda: engine.job(troubled, job.id).state == "failed")


def test_a_drive_that_does_not_answer_holds_up_neither_other_projects_nor_the_end_of_the_engine(
    engine: Engine, folders: tuple[Path, Path]
) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no file whose opening waits")
    troubled, other = folders
    first, second = (engine.submit(troubled, _ASKED) for _ in range(2))
    _until(lambda: _worker(troubled))
    deaf = [first.folder / EVENTS_FILE, second.folder / LOG_FILE]
    for path in deaf:
        path.unlink()
        os.mkfifo(path)
    engine.submit(other, _ASKED)

    _kill(troubled)

    _until(lambda: _worker(other))
    assert not engine.idle
    began = time.monotonic()
    engine.stop(graceful=False)
    assert time.monotonic() - began < _PATIENCE_S
    for path in deaf:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))  # lets those go on who wait


def test_a_training_before_which_a_command_line_began_another_waits_for_the_end_of_that_one(
    engine: Engine, folders: tuple[Path, Path]
) -> None:
    folder, _ = folders
    training = PretrainRequest(settings=PretrainingSettings(steps=1, device="cpu"))
    job = engine.submit(folder, training)
    _until(lambda: _worker(folder))  # which needs some seconds to come to its work
    with Project.open(folder) as project:
        other = queue_job(project, training)
        project.set_job_state(other.id, "running")  # in this process

        _until(lambda: not _worker(folder), 120)

        assert other.id in (job.folder / LOG_FILE).read_text()
        assert engine.job(folder, job.id).state == "queued"
        project.set_job_state(other.id, "finished")
    _until(lambda: _worker(folder))
