"""What it costs to run work as a job of the engine: to start one, to watch one, to read its events.

    python Testing/benchmarks/job_overhead.py [--seconds 10] [--events 20000] [--readers 50]

All times but the first are processor seconds, so that a busy machine changes little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from medssl.events import Monitor
from medssl.jobs import ImportRequest, run_job
from medssl.jobs.engine import Engine
from medssl.jobs.event_log import EventLog
from medssl.jobs.files import JobFiles
from medssl.phantom import SCHEMA, write_phantoms
from medssl.project import Project


def main() -> None:
    """Measure and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="to watch a job for")
    parser.add_argument("--events", type=int, default=20_000, help="that a long job wrote")
    parser.add_argument("--readers", type=int, default=50, help="that ask for what is new")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        _jobs(Path(place), options.seconds)
        _events(Path(place) / "job", options.events, options.readers)


def _jobs(place: Path, seconds: float) -> None:
    write_phantoms(place / "data", 2, 0)
    folder = place / "project"
    request = ImportRequest(folder=place / "data")
    with Project.create(folder, SCHEMA) as project:
        began = time.monotonic()
        run_job(project, request, Monitor())
        here = time.monotonic() - began
    engine = Engine()
    engine.start()
    began = time.monotonic()
    job = engine.submit(folder, request)
    while engine.job(folder, job.id).state != "finished":
        time.sleep(0.01)
    print(f"a job as a process of its own: {time.monotonic() - began - here:.2f} s more than in this one")
    assert "torch" not in sys.modules
    while not engine.idle:
        time.sleep(0.01)
    before = time.process_time()
    time.sleep(seconds)
    print(f"an engine without jobs: {100 * (time.process_time() - before) / seconds:.2f} % of one core")
    with Project.open(folder) as project:
        watched = project.new_job("import", request.model_dump_json())
        project.set_job_state(watched.id, "running")  # by this process, which is alive
    engine.recover(folder)
    assert not engine.idle
    before = time.process_time()
    time.sleep(seconds)
    print(f"an engine that watches a job: {100 * (time.process_time() - before) / seconds:.2f} % of one core")
    engine.stop(graceful=False)
    print(f"memory of an engine: {psutil.Process(os.getpid()).memory_info().rss / 1e6:.0f} MB")


def _events(folder: Path, count: int, readers: int) -> None:
    before = time.process_time()
    with JobFiles(folder, Monitor()) as files:
        for step in range(count):
            files.metric("loss", 1 / (1 + step), step)
        print(f"to write an event: {1e6 * (time.process_time() - before) / count:.0f} us")
        log = EventLog(folder)
        before = time.process_time()
        assert len(log.after(0)) == count
        print(f"to read {count} events as a latecomer: {1e3 * (time.process_time() - before):.0f} ms")
        costs = []
        for step in range(200):
            files.metric("loss", 0.0, step)
            before = time.process_time()
            for _ in range(readers):
                assert len(log.after(count + step)) == 1
            costs.append((time.process_time() - before) / readers)
    print(f"to read what is new, each of {readers} readers: {1e6 * statistics.median(costs):.0f} us")


if __name__ == "__main__":
    main()
