"""The tables of a benchmark: CSV for statistics programs, JSON for programs, Markdown for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from medssl.evaluation.benchmark.comparison import Cell, Difference
from medssl.evaluation.benchmark.runs import Results, RunResult
from medssl.evaluation.summary import Spread
from medssl.storage import write_text
from medssl.words import counted

CASES, SUMMARY, PAGE = "cases.csv", "summary.json", "summary.md"
_RUN = ("dataset", "scored", "budget", "annotated", "method", "start", "seed")


def write_tables(folder: Path, results: Results, cells: Sequence[Cell]) -> None:
    """Write `cases.csv`, one line a run, case and segment; `summary.json` and `summary.md`, one a cell.

    Raises:
        StorageError: a file could not be written.
    """
    write_text(folder / CASES, _csv(results))
    content = {"cells": [_as_json(cell) for cell in cells]}
    write_text(folder / SUMMARY, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / PAGE, markdown(cells) + "\n")


def markdown(cells: Sequence[Cell]) -> str:
    """Return a table of means ± standard deviations over seeds, and of differences from the baseline.

    A sentence below it names the versions of MedSSL, where the cells are not all of one.
    """
    head = (
        "data",
        "scored",
        "annotated",
        "each run",
        "method",
        "seeds",
        "steps",
        "Dice",
        "whole",
        "above the baseline",
    )
    with_ranking = any(cell.ranking_of_proposals is not None for cell in cells)
    rows = [_row(cell, with_ranking) for cell in cells]
    titles = (*head, "ranking of proposals") if with_ranking else head
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    table = "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
    versions = sorted({version for cell in cells for version in cell.versions})
    if len(versions) < 2:
        return table
    named = ", ".join(versions)
    return f"{table}\n\nMade by several versions of MedSSL, which need not train alike: {named}."


def difference_text(difference: Difference | None) -> str:
    """Write a difference for a person: '+0.012 (0.008 to 0.016), 3 of 3 seeds'."""
    if difference is None:
        return "-"
    text = f"{difference.mean:+.3f}"
    if difference.low is not None and difference.high is not None:
        text += f" ({difference.low:.3f} to {difference.high:.3f})"
    return f"{text}, {difference.above} of {counted(difference.seeds, 'seed')}"


def _row(cell: Cell, with_ranking: bool) -> tuple[str, ...]:
    steps = f"{cell.steps:.0f}"
    if cell.pretraining_steps:
        steps = f"{cell.pretraining_steps:.0f} + {steps}"
    row = (
        cell.dataset,
        cell.measure.scored,
        str(cell.annotated),
        cell.measure.budget,
        cell.arm.title,
        str(len(cell.seeds)),
        steps,
        _text(cell.dice),
        _text(cell.whole),
        difference_text(cell.difference),
    )
    return (*row, _text(cell.ranking_of_proposals, 2)) if with_ranking else row


def _text(spread: Spread | None, digits: int = 3) -> str:
    return "-" if spread is None else spread.text(digits)


def _csv(results: Results) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_RUN, "case", "segment", "dice", "uncertainty", "medssl_version"])
    for result in results.values():
        writer.writerows(_lines(result))
    return text.getvalue()


def _lines(result: RunResult) -> Iterator[list[object]]:
    run = result.run
    measure, arm = run.measure, run.arm
    known = (
        run.dataset,
        measure.scored,
        measure.budget,
        run.annotated,
        arm.method,
        arm.start.title,
        run.seed,
    )
    for case in result.cases:
        for segment, dice in zip(result.segments, case.dice, strict=True):
            value = "" if dice is None else f"{dice:.6g}"
            yield [*known, case.name, segment, value, f"{case.uncertainty:.6g}", result.medssl_version]


def _as_json(cell: Cell) -> dict[str, object]:
    return {
        **asdict(cell),
        "measure": cell.measure.model_dump(mode="json"),
        "arm": cell.arm.model_dump(mode="json"),
    }
