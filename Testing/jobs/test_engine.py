"""The engine runs each job in a process of its own, and loses none, whoever is killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from medssl.errors import ProjectError, UsageError
from medssl.events import Log, State
from medssl.jobs import ImportRequest, Request, TrainRequest, read_result, settings_for, watched
from medssl.jobs.engine import Engine
from medssl.jobs.launching import worker_environment
from medssl.labels import LabelSchema
from medssl.phantom import SCHEMA
from medssl.project import DATABASE_NAME, JobRow, Project

_PATIENCE_S = 120.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty project."""
    with Project.create(tmp_path / "a project", SCHEMA) as made:
        return made.folder


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = Engine()
    started.start()
    yield started
    started.stop(graceful=True)


def _until(reached: Callable[[], bool], seconds: float = _PATIENCE_S) -> float:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.02)
    return time.monotonic() - began


def _ended(engine: Engine, folder: Path, job: JobRow) -> JobRow:
    _until(lambda: engine.job(folder, job.id).state in ("finished", "failed", "cancelled"))
    return engine.job(folder, job.id)


def _works(engine: Engine, folder: Path, job: JobRow, kind: str = "progress") -> None:
    """Wait until a job is in the middle of its work."""
    _until(lambda: any(event.kind == kind for _, event in engine.events(folder, job.id)))


def _process(engine: Engine, folder: Path, job: JobRow) -> psutil.Process:
    number = engine.job(folder, job.id).process_id
    assert number is not None
    return psutil.Process(number)


def _states(engine: Engine, folder: Path, job: JobRow) -> list[str]:
    return [event.state for _, event in engine.events(folder, job.id) if isinstance(event, State)]


def test_a_job_runs_in_a_process_of_its_own_and_is_told_from_start_to_end(
    engine: Engine, folder: Path, small_dataset: Path
) -> None:
    job = engine.submit(folder, ImportRequest(folder=small_dataset))
    assert job.state == "queued"

    done = _ended(engine, folder, job)

    assert (done.state, done.error) == ("finished", "")
    assert done.process_id not in (None, os.getpid())
    assert read_result(done.folder) is not None
    assert _states(engine, folder, job) == ["queued", "running", "finished"]
    numbered = engine.events(folder, job.id)
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    assert engine.events(folder, job.id, after=len(numbered) - 1) == numbered[-1:]
    _until(lambda: engine.idle)


def test_a_project_that_is_slow_to_open_keeps_no_other_waiting(
    engine: Engine, folder: Path, tmp_path: Path
) -> None:
    with Project.create(tmp_path / "busy", SCHEMA) as made:
        busy = made.folder
    with closing(sqlite3.connect(busy / DATABASE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asking = threading.Thread(target=engine.jobs, args=(busy,))
        asking.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert engine.jobs(folder) == []
        assert time.monotonic() - began < 10  # a busy project is waited for three times as long
        assert asking.is_alive()
        other.execute("ROLLBACK")
    asking.join()


def test_what_a_job_cannot_do_is_told_as_by_the_command_line(
    engine: Engine, folder: Path, tmp_path: Path
) -> None:
    job = _ended(engine, folder, engine.submit(folder, ImportRequest(folder=tmp_path / "nowhere")))
    assert job.state == "failed"
    assert "nowhere" in job.error
    assert "Traceback" in (job.folder / "log.txt").read_text()


def test_jobs_for_one_device_wait_for_each_other_in_their_order(
    engine: Engine, folder: Path, large_dataset: Path, small_dataset: Path
) -> None:
    first = engine.submit(folder, ImportRequest(folder=large_dataset))
    second = engine.submit(folder, ImportRequest(folder=small_dataset))
    third = engine.submit(folder, ImportRequest(folder=small_dataset))
    _works(engine, folder, first)
    assert engine.job(folder, second.id).state == "queued"
    assert engine.cancel(folder, third.id).state == "cancelled"

    assert engine.cancel(folder, first.id).state in ("cancelling", "cancelled")

    assert _ended(engine, folder, first).state == "cancelled"
    assert _states(engine, folder, first) == ["queued", "running", "cancelling", "cancelled"]
    assert _ended(engine, folder, second).state == "finished"
    assert _states(engine, folder, third) == ["queued", "cancelled"]
    with pytest.raises(UsageError, match="finished"):
        engine.cancel(folder, second.id)


def test_a_killed_worker_is_noticed_within_two_seconds_and_its_job_can_be_resumed(
    engine: Engine, folder: Path, large_dataset: Path
) -> None:
    job = engine.submit(folder, ImportRequest(folder=large_dataset))
    _works(engine, folder, job)

    _process(engine, folder, job).kill()

    assert _until(lambda: engine.job(folder, job.id).state == "failed") < 2
    failed = engine.job(folder, job.id)
    if os.name != "nt":
        assert "killed from outside" in failed.error
    assert "Resume" in failed.remedy
    with Project.open(folder) as project:
        there = project.count_cases()
    assert 0 < there < len(list((large_dataset / "imagesTr").iterdir()))
    engine.resume(folder, job.id)
    _until(lambda: engine.job(folder, job.id).state == "running")
    assert engine.cancel(folder, job.id).state in ("cancelling", "cancelled")
    assert _ended(engine, folder, job).state == "cancelled"


def test_a_worker_that_does_not_stop_is_ended_with_all_it_started(folder: Path, large_dataset: Path) -> None:
    engine = Engine(stop_s=0.3)
    engine.start()
    job = engine.submit(folder, ImportRequest(folder=large_dataset))
    _works(engine, folder, job)
    worker = _process(engine, folder, job)
    worker.suspend()

    engine.cancel(folder, job.id)

    ended = _ended(engine, folder, job)
    assert (ended.state, "did not stop" in ended.error) == ("cancelled", True)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    engine.stop(graceful=False)


def test_a_job_that_is_asked_to_stop_while_its_end_is_written_down_has_ended(
    engine: Engine, folder: Path, large_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, asked = watched.close_job, list[JobRow]()

    def close_later(project: Project, seen: JobRow, last: State) -> bool:
        if not asked:
            asked.append(seen)
            project.advance_job(seen, "cancelling")
        return close(project, seen, last)

    monkeypatch.setattr(watched, "close_job", close_later)
    job = engine.submit(folder, ImportRequest(folder=large_dataset))
    _works(engine, folder, job)
    _process(engine, folder, job).kill()

    assert _ended(engine, folder, job).state == "cancelled"
    assert asked


def test_a_job_cancelled_and_resumed_before_it_began_runs_once(
    engine: Engine, folder: Path, small_dataset: Path
) -> None:
    job = engine.submit(folder, ImportRequest(folder=small_dataset))
    for _ in range(2):
        assert engine.cancel(folder, job.id).state == "cancelled"
        assert engine.resume(folder, job.id).state == "queued"
        time.sleep(0.1)

    assert _ended(engine, folder, job).state == "finished"
    assert _states(engine, folder, job).count("running") == 1


def test_two_engines_on_one_project_run_each_job_once(folder: Path, small_dataset: Path) -> None:
    engines = [Engine([folder]), Engine([folder])]
    job = engines[0].submit(folder, ImportRequest(folder=small_dataset))
    for engine in engines:
        engine.start()

    assert _ended(engines[1], folder, job).state == "finished"
    assert _states(engines[0], folder, job).count("running") == 1
    for engine in engines:
        _until(lambda engine=engine: engine.idle)
        engine.stop(graceful=True)


_ENGINE = """
    import sys, time
    from pathlib import Path
    from medssl.jobs import REQUEST
    from medssl.jobs.engine import Engine
    engine = Engine(memory=Path(sys.argv[2]))
    engine.start()
    print(engine.submit(Path(sys.argv[1]), REQUEST.validate_json(sys.argv[3])).id, flush=True)
    assert "torch" not in sys.modules
    time.sleep(600)
"""


@pytest.fixture
def start_engine(folder: Path, tmp_path: Path) -> Iterator[Callable[[Request], tuple[psutil.Process, str]]]:
    """A function that starts an engine as a process, which runs a job; gives the process and the job."""
    started: list[subprocess.Popen[str]] = []

    def start(request: Request) -> tuple[psutil.Process, str]:
        script = "\n".join(line[4:] for line in _ENGINE.splitlines())
        child = subprocess.Popen(
            [sys.executable, "-c", script, folder, tmp_path / "memory.json", request.model_dump_json()],
            env=worker_environment(os.environ),
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        assert child.stdout is not None
        return psutil.Process(child.pid), child.stdout.readline().strip()

    yield start
    for child in started:
        child.kill()
        child.wait()


def test_a_job_outlives_its_engine_and_the_next_one_finds_it(
    start_engine: Callable[[Request], tuple[psutil.Process, str]],
    folder: Path,
    tmp_path: Path,
    large_dataset: Path,
) -> None:
    killed, job_id = start_engine(ImportRequest(folder=large_dataset))
    later = Engine(memory=tmp_path / "memory.json")
    job = later.job(folder, job_id)
    _works(later, folder, job)
    worker = _process(later, folder, job)
    killed.kill()
    killed.wait()
    seen = len(later.events(folder, job_id))
    _until(lambda: len(later.events(folder, job_id)) > seen)

    later.start()

    assert not later.idle
    assert _process(later, folder, job) == worker
    assert later.cancel(folder, job_id).state in ("cancelling", "cancelled")
    assert _ended(later, folder, job).state == "cancelled"
    _until(lambda: later.idle)
    later.stop(graceful=True)


def test_when_engine_and_worker_are_killed_the_next_engine_says_what_became_of_the_job(
    start_engine: Callable[[Request], tuple[psutil.Process, str]],
    folder: Path,
    tmp_path: Path,
    large_dataset: Path,
) -> None:
    killed, job_id = start_engine(ImportRequest(folder=large_dataset))
    later = Engine(memory=tmp_path / "memory.json")
    job = later.job(folder, job_id)
    _works(later, folder, job)
    for process in (killed, _process(later, folder, job)):
        process.kill()
        process.wait()

    later.start()

    found = later.job(folder, job_id)
    assert (found.state, "interrupted" in found.error, "Resume" in found.remedy) == ("failed", True, True)
    assert _states(later, folder, job)[-1] == "failed"
    later.stop(graceful=True)


def test_a_training_goes_on_by_itself_after_engine_and_worker_were_killed(
    start_engine: Callable[[Request], tuple[psutil.Process, str]],
    folder: Path,
    tmp_path: Path,
    small_dataset: Path,
) -> None:
    from medssl.events import Monitor
    from medssl.jobs import run_job

    with Project.open(folder) as project:
        run_job(project, ImportRequest(folder=small_dataset, annotated=1), Monitor())
    settings = settings_for("quick", steps=8, device="cpu").model_copy(update={"method": "supervised"})
    killed, job_id = start_engine(TrainRequest(settings=settings))
    later = Engine(memory=tmp_path / "memory.json")
    job = later.job(folder, job_id)
    _works(later, folder, job, "metric")
    for process in (killed, _process(later, folder, job)):
        process.kill()
        process.wait()

    later.start()

    assert _ended(later, folder, job).state == "finished"
    assert _states(later, folder, job) == ["queued", "running", "queued", "running", "finished"]
    texts = [event.text for _, event in later.events(folder, job_id) if isinstance(event, Log)]
    assert any("was interrupted" in text for text in texts)
    with Project.open(folder) as project:
        assert len(project.models()) == 1
    later.stop(graceful=True)


def test_a_graceful_end_stops_jobs_so_that_they_can_be_resumed(folder: Path, large_dataset: Path) -> None:
    engine = Engine()
    engine.start()
    job = engine.submit(folder, ImportRequest(folder=large_dataset))
    waiting = engine.submit(folder, ImportRequest(folder=large_dataset))
    _works(engine, folder, job)

    engine.stop(graceful=True)

    with Project.open(folder) as project:
        assert project.job(job.id).state == "cancelled"
        assert project.job(waiting.id).state == "queued"


def test_a_project_that_is_removed_or_replaced_while_its_job_runs_holds_nothing_up(
    engine: Engine, folder: Path, large_dataset: Path, small_dataset: Path
) -> None:
    if os.name == "nt":
        pytest.skip("Windows removes no file that is open")
    job = engine.submit(folder, ImportRequest(folder=large_dataset))
    _works(engine, folder, job)
    worker = _process(engine, folder, job)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    worker.kill()
    _until(lambda: engine.idle)
    with pytest.raises(ProjectError):
        engine.jobs(folder)

    Project.create(folder, LabelSchema.of_names({1: "Other"})).close()

    assert engine.jobs(folder) == []
    again = engine.submit(folder, ImportRequest(folder=small_dataset, annotated=0))
    assert _ended(engine, folder, again).state == "finished"


def test_a_worker_killed_by_a_signal_stops_in_order_first(
    engine: Engine, folder: Path, large_dataset: Path
) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no signal that can be answered")
    job = engine.submit(folder, ImportRequest(folder=large_dataset))
    _works(engine, folder, job)
    _process(engine, folder, job).send_signal(signal.SIGTERM)
    assert _ended(engine, folder, job).state == "cancelled"
