"""How quickly the service answers, and how little memory a large volume costs it.

    python Testing/benchmarks/service_latency.py
    python Testing/benchmarks/service_latency.py --cases 1000 --slices 100

A real service in a process of its own, on this computer. Measured are its start; the status of a running
job, asked for again and again; every page of a project with many cases, by name and by uncertainty; what 50
clients that ask for the status once a second, or listen to its events, cost the processor; and an upload and
a download of a volume of 512 x 512 int16 slices, with the most memory that the service and its helper had
meanwhile, beyond what they had before. On a machine that others keep busy, times on the
clock are too long; those of the service's processor are not.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import medssl
import numpy as np
import psutil
from medssl.client import Client, start_or_attach
from medssl.endpoint import read_endpoint
from medssl.events import Metric, Monitor, Progress, State
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.jobs.files import JobFiles
from medssl.project import Project

REQUESTS = 500
POLLING_CLIENTS = 50
POLLING_S = 20.0
PAGE = 100


def main() -> None:
    """Measure, and print one line of JSON a measurement."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--slices", type=int, default=500, help="of the volume, half a megabyte each")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        client, process = start(folder)
        try:
            project = client.create_project("many", {1: "Head"}, folder=folder / "root" / "project")
            fill(Path(project.folder), chosen.cases, folder)
            with running_job(Path(project.folder)) as job_id:
                before = processor_s(process)
                status = seconds(lambda: client.job(project.key, job_id), REQUESTS)
                tell("status", **in_ms(status), **each(process, before, status))
                tell("polling", clients=POLLING_CLIENTS, **polling(client, process, project.key, job_id))
                tell("streams", clients=POLLING_CLIENTS, **streams(client, process, project.key, job_id))
            for sort, descending in (("name", False), ("uncertainty", True)):
                before = processor_s(process)
                paging = pages(client, project.key, sort, descending)
                figures = {**in_ms(paging), **each(process, before, paging)}
                tell("page", sort=sort, cases=chosen.cases, **figures)
            tell("volume", **volume(client, process, folder, chosen.slices))
        finally:
            client.shutdown(force=True)


def start(folder: Path) -> tuple[Client, psutil.Process]:
    """Start a service and tell how long it took."""
    began = time.perf_counter()
    client = start_or_attach(
        folder=folder / "state",
        arguments=["--root", str(folder / "root")],
        environment={**os.environ, "PYTHONPATH": str(Path(medssl.__file__).parents[1])},
        start_s=120,
    )
    elapsed = time.perf_counter() - began
    found = read_endpoint(folder / "state")
    assert found is not None
    process = psutil.Process(found.process_id)
    times = process.cpu_times()
    tell("start", elapsed_s=round(elapsed, 2), processor_s=round(times.user + times.system, 2))
    return client, process


def fill(folder: Path, count: int, files: Path) -> None:
    """Give a project many cases with a proposal each; by its database, because all have the same scan."""
    scan = files / "root" / "scan.nii.gz"
    write_volume(
        scan, Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), Grid((5, 4, 3), (1.0, 1.0, 1.0)))
    )
    with Project.open(folder) as project:
        first = project.add_case("first", [scan])
        values = np.ones((3, 4, 5), np.uint8)
        uncertainty = np.full(values.shape, 0.5, np.float32)
        project.add_pseudo_label(first, values, uncertainty, score=0.5, model_id="m", worst_slice=0)
    with closing(sqlite3.connect(folder / "project.db")) as database, database:
        for table in ("case", "channel", "pseudo_label"):
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            row = dict(zip(columns, database.execute(f'SELECT * FROM "{table}"').fetchone(), strict=True))
            marks = ", ".join("?" for _ in columns)
            copies = [[changed(table, row, name, n) for name in columns] for n in range(2, count + 1)]
            database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', copies)


def changed(table: str, row: dict[str, object], column: str, number: int) -> object:
    """What a copy of a row holds in a column."""
    if column == "case_id" or (column == "id" and table != "channel"):
        return number
    if table == "case" and column in ("name", "search_name", "folder"):
        return f"case {number}"
    if column == "sort_name":
        return f"case {number:012}"
    return (number * 7919 % 1000) / 1000 if column == "score" else row[column]


@contextmanager
def running_job(folder: Path) -> Iterator[str]:
    """A job that this process runs, with the events of a long training."""
    with Project.open(folder) as project:
        row = project.new_job("propose", json.dumps({"kind": "propose", "model": "m"}))
        with JobFiles(row.folder, Monitor()) as files:
            project.set_job_state(row.id, "running")
            files.emit(State(state="running"))
            for step in range(2000):
                files.emit(Progress(stage="Training", done=step, total=2000))
                files.emit(Metric(name="segmentation", value=1.0, step=step))
            yield row.id
            project.set_job_state(row.id, "cancelled")
            files.emit(State(state="cancelled"))


def polling(client: Client, process: psutil.Process, project: str, job: str) -> dict[str, float]:
    """What many clients that ask once a second cost: the service's share of one processor core."""
    until = time.monotonic() + POLLING_S
    asked = [0] * POLLING_CLIENTS

    def ask(number: int) -> None:
        time.sleep(number / POLLING_CLIENTS)
        while time.monotonic() < until:
            client.job(project, job)
            asked[number] += 1
            time.sleep(1.0)

    before, began = processor_s(process), time.monotonic()
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(POLLING_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent, elapsed = processor_s(process) - before, time.monotonic() - began
    return {
        "asked_a_second": round(sum(asked) / elapsed, 1),
        "processor_ms_each": round(1000 * spent / sum(asked), 2),
        "share_of_all_cores": round(spent / elapsed / (os.cpu_count() or 1), 4),
    }


def streams(client: Client, process: psutil.Process, project: str, job: str) -> dict[str, float]:
    """What many clients that listen to a job which says nothing cost the service."""
    last = client.events(project, job)[-1].number
    readers = [client.watch(project, job, lambda event: None, after=last) for _ in range(POLLING_CLIENTS)]
    while not all(reader.connected for reader in readers):
        time.sleep(0.1)
    before, began = processor_s(process), time.monotonic()
    time.sleep(POLLING_S)
    spent, elapsed = processor_s(process) - before, time.monotonic() - began
    for reader in readers:
        reader.stop()
    return {"share_of_all_cores": round(spent / elapsed / (os.cpu_count() or 1), 4)}


def pages(client: Client, project: str, sort: str, descending: bool) -> list[float]:
    """The time of every page of the table of cases."""
    count = client.cases(project, limit=1).total
    found = []
    for offset in range(0, count, PAGE):
        began = time.perf_counter()
        page = client.cases(project, sort=sort, descending=descending, offset=offset, limit=PAGE)
        found.append(time.perf_counter() - began)
        assert len(page.cases) == min(PAGE, count - offset)
    return found


def volume(client: Client, process: psutil.Process, folder: Path, slices: int) -> dict[str, float]:
    """Send a large volume there and back, and watch the memory."""
    scan = folder / "large.nii"
    voxels = np.random.default_rng(0).integers(-1000, 3000, (slices, 512, 512), dtype=np.int16)
    write_volume(scan, Volume(voxels, Grid((512, 512, slices), (0.7, 0.7, 1.0))))
    del voxels
    small = folder / "small.nii"
    write_volume(small, Volume(np.zeros((4, 4, 4), np.int16), Grid((4, 4, 4), (1.0, 1.0, 1.0))))
    client.remove_upload(client.upload(small).id)  # starts the helper
    with memory_above(process) as most:
        began = time.perf_counter()
        upload = client.upload(scan)
        sent_s = time.perf_counter() - began
        began = time.perf_counter()
        client.download(upload.path, folder / "back.nii")
        received_s = time.perf_counter() - began
    assert (folder / "back.nii").read_bytes() == scan.read_bytes()
    return {
        "size_mb": round(scan.stat().st_size / 1e6),
        "upload_s": round(sent_s, 2),
        "download_s": round(received_s, 2),
        "extra_memory_mb": round(most[0] / 1e6, 1),
    }


@contextmanager
def memory_above(process: psutil.Process) -> Iterator[list[int]]:
    """Watch how many bytes a process and its children have more than at the beginning, at the most."""
    before, most, over = memory(process), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            most[0] = max(most[0], memory(process) - before)

    thread = threading.Thread(target=watch)
    thread.start()
    yield most
    over.set()
    thread.join()


def memory(process: psutil.Process) -> int:
    """What a process and its children have in memory, in bytes."""
    return sum(int(each.memory_info().rss) for each in [process, *process.children(recursive=True)])


def processor_s(process: psutil.Process) -> float:
    """Seconds that a process has spent on the processor."""
    times = process.cpu_times()
    return float(times.user + times.system)


def seconds(ask: Callable[[], object], count: int) -> list[float]:
    """How long each of many requests took."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        found.append(time.perf_counter() - began)
    return found


def each(process: psutil.Process, before_s: float, found: list[float]) -> dict[str, float]:
    """What each request cost the service's processor, in milliseconds."""
    return {"processor_ms": round(1000 * (processor_s(process) - before_s) / len(found), 1)}


def in_ms(found: list[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum in milliseconds."""
    ordered = sorted(found)
    return {
        "median_ms": round(1000 * statistics.median(ordered), 1),
        "p99_ms": round(1000 * ordered[int(0.99 * (len(ordered) - 1))], 1),
        "most_ms": round(1000 * ordered[-1], 1),
    }


def tell(what: str, **figures: object) -> None:
    """Print one measurement."""
    sys.stdout.write(json.dumps({"what": what, **figures}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
