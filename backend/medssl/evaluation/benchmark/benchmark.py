"""Doing the runs of a benchmark one after the other, and writing down what they say."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from medssl.errors import DataError, UsageError
from medssl.evaluation.benchmark.comparison import Cell, cells_of
from medssl.evaluation.benchmark.measuring import RunMonitor, divide, measure_run
from medssl.evaluation.benchmark.plot import write_plot
from medssl.evaluation.benchmark.runs import Arm, Run, keep_result, planned, read_results
from medssl.evaluation.benchmark.scans import check_same_scans
from medssl.evaluation.benchmark.settings import BenchmarkSettings
from medssl.evaluation.benchmark.writing import write_tables
from medssl.events import Monitor
from medssl.exchange.datasets import Dataset, read_dataset
from medssl.project import DATABASE_NAME
from medssl.storage import storage_error
from medssl.words import counted

RUNS, PLOT = "runs", "dice.svg"
_WORKING = "working"
_WAIT_S = 1.0  # between looks at runs that another process does


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark has found: the cells of everything in its folder, and the plot, where it was drawn."""

    runs: int
    cells: tuple[Cell, ...]
    plot: Path | None


def run_benchmark(settings: BenchmarkSettings, output: Path, monitor: Monitor) -> Benchmark:
    """Make every run that is not in the output folder yet, then write tables and plot of all that is there.

    An interrupted run goes on from its last checkpoint. Several processes may work on one folder: each run is
    done by one of them, and each of them writes tables of all.

    Args:
        settings: which runs.
        output: a folder that is new, empty or an earlier benchmark's. It gets `runs` with a file a run,
            `cases.csv`, `summary.json`, `summary.md` and `dice.svg`.
        monitor: told of progress, asked whether to stop.

    Raises:
        UsageError: no dataset, somebody else's output folder, or one of other scans under the same name.
        DataError: the dataset has too few labelled cases.
        StorageError: the output folder may not be written.
        Cancelled: the person asked to stop.
    """
    dataset = read_dataset(settings.dataset)
    _check_enough(dataset, settings)
    _prepare(output)
    check_same_scans(dataset, output)
    wanted = list(planned(settings, dataset.name))
    while missing := [run for run in wanted if run not in read_results(output / RUNS)]:
        done = 0
        for run in missing:
            monitor.check()
            title = f"{wanted.index(run) + 1} of {len(wanted)}, {run.title}"
            done += _try(dataset, run, title, output, monitor)
        if not done:
            time.sleep(_WAIT_S)
    with suppress(OSError):  # another process works on runs of its own
        (output / _WORKING).rmdir()
    return _summary(settings, wanted, output, monitor)


def _check_enough(dataset: Dataset, settings: BenchmarkSettings) -> None:
    train, test = divide(dataset, settings.measure)
    most = max(settings.annotated)
    if len(test) < settings.measure.held_out or len(train) < most:
        raise DataError(
            f"{dataset.folder} has {counted(len(train) + len(test), 'labelled case')}; {most} to annotate "
            f"and {settings.measure.held_out} held out are more than that.",
            "Ask for fewer.",
        )


def _prepare(output: Path) -> None:
    """Make the output folder, unless it is somebody else's."""
    try:
        if output.exists() and not (output / RUNS).is_dir() and _holds_something_else(output):
            raise UsageError(
                f"{output} holds something else than a benchmark.", "Choose a new or empty folder."
            )
        (output / RUNS).mkdir(parents=True, exist_ok=True)
        (output / _WORKING).mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(error, output) from error


def _holds_something_else(folder: Path) -> bool:
    """Whether there is more in a folder than the project whose job this is, and what another began."""
    others = (path for path in folder.iterdir() if path.name not in (RUNS, _WORKING))
    return any(not (path / DATABASE_NAME).is_file() for path in others)


def _try(dataset: Dataset, run: Run, title: str, output: Path, monitor: Monitor) -> bool:
    """Do a run, or find it done; False when another process is about it."""
    folder = output / _WORKING / run.key
    lock = folder.with_suffix(".lock")
    try:
        with FileLock(lock, timeout=0):
            if run in read_results(output / RUNS):
                return True
            result = measure_run(dataset, run, folder, RunMonitor(monitor, title))
            keep_result(output / RUNS, result)
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(
                OSError
            ):  # Windows keeps files that are open; who takes the lock next finds the result
                lock.unlink()
    except Timeout:
        return False
    dice = "not known" if result.dice is None else f"{result.dice:.3f}"
    monitor.log(f"{title}: Dice {dice} after {counted(result.steps, 'step')}.")
    return True


def _summary(settings: BenchmarkSettings, wanted: Sequence[Run], output: Path, monitor: Monitor) -> Benchmark:
    found = read_results(output / RUNS)
    others = sorted(found.keys() - set(wanted), key=lambda run: run.title)
    results = {run: found[run] for run in [*wanted, *others]}
    cells = cells_of(results, Arm(method=settings.methods[0], start=settings.starts[0]))
    write_tables(output, results, cells)
    plot: Path | None = output / PLOT
    try:
        write_plot(output / PLOT, cells)
    except UsageError as error:
        monitor.log(str(error), "warning")
        plot = None
    return Benchmark(len(results), tuple(cells), plot)
