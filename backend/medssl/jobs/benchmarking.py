"""Measuring what methods make of few annotated cases."""

from __future__ import annotations

from medssl.evaluation.benchmark.benchmark import run_benchmark
from medssl.evaluation.benchmark.comparison import Cell
from medssl.evaluation.benchmark.writing import CASES, SUMMARY
from medssl.events import Monitor
from medssl.jobs.requests import BenchmarkRequest
from medssl.jobs.results import BenchmarkResult, BenchmarkRow


def benchmark(request: BenchmarkRequest, monitor: Monitor) -> BenchmarkResult:
    """Do the runs that the output folder lacks, then write tables and plot of all that it has."""
    found = run_benchmark(request.settings, request.output, monitor)
    return BenchmarkResult(
        runs=found.runs,
        rows=tuple(_row(cell) for cell in found.cells),
        output=request.output,
        table=request.output / CASES,
        summary=request.output / SUMMARY,
        plot=found.plot,
    )


def _row(cell: Cell) -> BenchmarkRow:
    dice, difference = cell.dice, cell.difference
    return BenchmarkRow(
        annotated=cell.annotated,
        method=cell.arm.title,
        seeds=len(cell.seeds),
        steps=cell.steps,
        dice=None if dice is None else dice.mean,
        dice_spread=None if dice is None else dice.std,
        difference=None if difference is None else difference.mean,
        low=None if difference is None else difference.low,
        high=None if difference is None else difference.high,
    )
