"""An engine forgets no project with unfinished jobs only because it cannot be opened now."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from medssl.jobs import ImportRequest
from medssl.jobs.engine import Engine
from medssl.jobs.memory import KEPT_S
from medssl.phantom import SCHEMA
from medssl.processes import end_tree
from medssl.project import DATABASE_NAME, JobRow, Project

_PATIENCE_S = 120.0


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "unfinished.json"


def _until(reached: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < _PATIENCE_S, "it did not happen"
        time.sleep(0.02)


def _waiting(memory: Path, folders: list[Path], dataset: Path) -> list[JobRow]:
    """Give each of new projects a job, which its engine is killed before it starts."""
    killed = Engine(memory=memory)
    for folder in folders:
        Project.create(folder, SCHEMA).close()
    jobs = [killed.submit(folder, ImportRequest(folder=dataset, annotated=0)) for folder in folders]
    for folder in folders:
        killed._project(folder).close()  # what is open cannot be moved on Windows
    return jobs


def _ended(engine: Engine, folder: Path, job: JobRow) -> None:
    _until(lambda: engine.job(folder, job.id).state == "finished")
    _until(lambda: engine.idle)


def test_a_project_whose_drive_is_away_at_a_start_goes_on_at_a_later_one(
    memory: Path, tmp_path: Path, small_dataset: Path
) -> None:
    folder, elsewhere = tmp_path / "drive" / "project", tmp_path / "unmounted"
    [job] = _waiting(memory, [folder], small_dataset)
    folder.parent.rename(elsewhere)
    for _ in range(2):
        too_early = Engine(memory=memory)
        too_early.start()
        assert too_early.idle
        too_early.stop(graceful=True)
    elsewhere.rename(folder.parent)

    later = Engine(memory=memory)
    later.start()

    _ended(later, folder, job)
    later.stop(graceful=True)
    assert json.loads(memory.read_text()) == {}


def test_a_project_whose_drive_comes_back_goes_on_when_it_is_opened(
    memory: Path, tmp_path: Path, small_dataset: Path
) -> None:
    folder, elsewhere = tmp_path / "drive" / "project", tmp_path / "unmounted"
    first, second = _waiting(memory, [folder, tmp_path / "other"], small_dataset)
    folder.parent.rename(elsewhere)
    engine = Engine(memory=memory)
    engine.start()
    _ended(engine, tmp_path / "other", second)
    assert list(json.loads(memory.read_text())) == [str(folder), str(tmp_path / "other")]
    elsewhere.rename(folder.parent)

    engine.recover(folder)

    _ended(engine, folder, first)
    engine.stop(graceful=True)
    assert json.loads(memory.read_text()) == {}


def test_a_project_that_is_slow_delays_neither_the_start_nor_other_projects(
    memory: Path, tmp_path: Path, small_dataset: Path
) -> None:
    busy, other = tmp_path / "a busy one", tmp_path / "other"
    first, second = _waiting(memory, [busy, other], small_dataset)
    engine = Engine(memory=memory)
    with closing(sqlite3.connect(busy / DATABASE_NAME, isolation_level=None)) as program:
        program.execute("BEGIN IMMEDIATE")
        began = time.monotonic()

        engine.start()

        assert time.monotonic() - began < 10  # a busy project is waited for three times as long
        assert not engine.idle
        assert str(busy) in json.loads(memory.read_text())
        program.execute("ROLLBACK")
    _until(lambda: {engine.job(busy, first.id).state, engine.job(other, second.id).state} == {"finished"})
    engine.stop(graceful=True)


def test_a_project_whose_drive_goes_while_its_job_runs_is_found_again(
    memory: Path, tmp_path: Path, small_dataset: Path
) -> None:
    if os.name == "nt":
        pytest.skip("Windows moves no folder of which a file is open")
    folder, elsewhere = tmp_path / "drive" / "project", tmp_path / "unmounted"
    engine = Engine(memory=memory)
    engine.start()
    Project.create(folder, SCHEMA).close()
    job = engine.submit(folder, ImportRequest(folder=small_dataset))
    _until(lambda: engine.job(folder, job.id).process_id is not None)
    number = engine.job(folder, job.id).process_id
    assert number is not None
    worker = psutil.Process(number)
    worker.suspend()
    folder.parent.rename(elsewhere)
    end_tree(worker)
    _until(lambda: engine.idle)
    engine.stop(graceful=True)
    assert list(json.loads(memory.read_text())) == [str(folder)]
    elsewhere.rename(folder.parent)

    later = Engine(memory=memory)
    later.start()

    found = later.job(folder, job.id)
    assert (found.state, "interrupted" in found.error) == ("failed", True)
    later.stop(graceful=True)


def test_a_project_that_is_away_is_forgotten_after_some_months_or_when_a_person_wants_it(
    memory: Path, tmp_path: Path
) -> None:
    kept, old, unwanted = (str(tmp_path / name) for name in ("kept", "old", "unwanted"))
    now = time.time()
    memory.write_text(json.dumps({kept: now - KEPT_S / 2, old: now - KEPT_S - 1, unwanted: now}))
    engine = Engine(memory=memory)
    engine.start()

    engine.forget(Path(unwanted))

    assert json.loads(memory.read_text()) == {kept: now - KEPT_S / 2}
    engine.stop(graceful=True)


def test_the_list_that_an_older_version_noted_is_read(
    memory: Path, tmp_path: Path, small_dataset: Path
) -> None:
    [job] = _waiting(memory, [tmp_path / "project"], small_dataset)
    memory.write_text(json.dumps([str(tmp_path / "project")]))
    engine = Engine(memory=memory)

    engine.start()

    _ended(engine, tmp_path / "project", job)
    engine.stop(graceful=True)
