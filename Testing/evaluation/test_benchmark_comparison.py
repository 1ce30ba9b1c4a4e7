"""What runs say together: means over seeds, differences case by case, tables and a plot."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from medssl.errors import UsageError
from medssl.evaluation.benchmark.comparison import cells_of, difference_between
from medssl.evaluation.benchmark.plot import write_plot
from medssl.evaluation.benchmark.runs import Arm, RunResult
from medssl.evaluation.benchmark.settings import Measure, Start
from medssl.evaluation.benchmark.writing import write_tables
from pydantic import ValidationError
from scipy import stats

Make = Callable[..., RunResult]
BASELINE = Arm(method="supervised", start=Start())


def test_a_difference_is_paired_by_case_and_seed(make_result: Make) -> None:
    theirs = [make_result("supervised", (0.5, 0.6, 0.7), seed) for seed in (0, 1)]
    ours = [
        make_result("dual_task", (0.6, 0.6, 0.8), 0),
        make_result("dual_task", (0.5, 0.7, 0.8), 1),
        make_result("dual_task", (0.0, 0.0, 0.0), 2),  # the baseline was not run with this seed
    ]

    found = difference_between(ours, theirs)

    assert found is not None
    of_cases = np.array([0.05, 0.05, 0.1])
    interval = stats.ttest_1samp(of_cases, 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(of_cases.mean())
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.cases, found.seeds, found.above) == (3, 2, 2)


def test_a_case_without_a_score_on_one_side_is_left_out_on_both(make_result: Make) -> None:
    found = difference_between(
        [make_result("dual_task", (0.9, 0.8, None))], [make_result("supervised", (0.8, None, 0.1))]
    )

    assert found is not None
    assert (found.cases, found.mean, found.low) == (1, pytest.approx(0.1), None)


def test_without_a_common_seed_there_is_no_difference(make_result: Make) -> None:
    ours, theirs = make_result("dual_task", (0.9,), 1), make_result("supervised", (0.8,), 0)
    assert difference_between([ours], [theirs]) is None


def _results(make_result: Make) -> dict[object, RunResult]:
    made = [
        make_result("dual_task", (0.6, 0.7, 0.8), seed, annotated, **start)
        for seed in (0, 1)
        for annotated in (1, 2)
        for start in ({}, {"task": "rotation", "share": 0.3})
    ]
    made += [
        make_result("supervised", (0.5, 0.6, 0.7 + 0.1 * seed), seed, annotated)
        for seed in (0, 1)
        for annotated in (1, 2)
    ]
    return {result.run: result for result in made}


def test_seeds_are_gathered_and_the_baseline_comes_first(make_result: Make) -> None:
    cells = cells_of(_results(make_result), BASELINE)  # type: ignore[arg-type]  # keys are runs

    assert [(cell.annotated, cell.arm.title) for cell in cells] == [
        (count, title)
        for count in (1, 2)
        for title in ("supervised", "dual_task", "dual_task from rotation 30 %")
    ]
    first, second = cells[:2]
    assert first.dice is not None
    assert first.dice_of_seeds == pytest.approx((0.6, 0.6 + 0.1 / 3))
    assert first.dice.mean == pytest.approx(0.6 + 0.05 / 3)
    assert first.difference is None
    assert first.ranking is not None
    assert first.ranking.mean == pytest.approx(-1)  # the better, the less certain: the worst order there is
    assert second.difference is not None
    assert second.difference.mean == pytest.approx(0.1 - 0.05 / 3)


def test_tables_hold_every_case_and_every_cell(make_result: Make, tmp_path: Path) -> None:
    results = _results(make_result)
    write_tables(tmp_path, results, cells_of(results, BASELINE))  # type: ignore[arg-type]  # keys are runs

    rows = list(csv.DictReader((tmp_path / "cases.csv").open(encoding="utf-8")))
    assert len(rows) == len(results) * 3
    assert {row["start"] for row in rows} == {"scratch", "rotation 30 %"}
    assert rows[0]["budget"] == "100 steps"
    cells = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["cells"]
    assert len(cells) == 6
    assert cells[1]["difference"]["cases"] == 3
    page = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert page.count("\n") == 2 + 6
    assert "2 of 2 seeds" in page
    assert page.count("| last 3 |") == 6


def test_runs_of_several_versions_are_not_taken_for_runs_of_one(make_result: Make, tmp_path: Path) -> None:
    results = list(_results(make_result).values())
    newer = results[0].model_copy(update={"medssl_version": "1.0"})
    mixed = {result.run: result for result in [newer, *results[1:]]}

    write_tables(tmp_path, mixed, cells_of(mixed, BASELINE))

    page = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert page.rstrip().endswith("which need not train alike: 0, 1.0.")
    rows = list(csv.DictReader((tmp_path / "cases.csv").open(encoding="utf-8")))
    assert [row["medssl_version"] for row in rows[:4]] == ["1.0"] * 3 + ["0"]
    written = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["cells"]
    assert sum(cell["versions"] == ["0", "1.0"] for cell in written) == 1


def test_the_plot_names_every_arm_and_is_the_same_for_the_same_results(
    make_result: Make, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    cells = cells_of(_results(make_result), BASELINE)  # type: ignore[arg-type]  # keys are runs
    for name in ("a.svg", "b.svg"):
        write_plot(tmp_path / name, cells)

    drawn = ElementTree.parse(tmp_path / "a.svg")
    words = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"supervised", "dual_task", "dual_task from rotation 30 %", "Made up", "1", "2"} <= words
    assert "100 steps each, 2 seeds" in words
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_plot_without_matplotlib_says_how_to_get_it(
    make_result: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    cells = cells_of(_results(make_result), BASELINE)  # type: ignore[arg-type]  # keys are runs
    with pytest.raises(UsageError, match=r"medssl\[plots\]"):
        write_plot(tmp_path / "a.svg", cells)


def test_a_budget_is_one_and_a_pretraining_takes_a_share_of_it() -> None:
    for wrong in ({}, {"steps": 10, "seconds": 3.0}, {"seconds": 3.0, "core_seconds": 3.0}):
        with pytest.raises(ValidationError, match="either steps, seconds or core-seconds"):
            Measure(held_out=1, **wrong)  # type: ignore[arg-type]  # wrong on purpose
    for start in ({"task": "pgl"}, {"share": 0.5}):
        with pytest.raises(ValidationError, match="share of the time"):
            Start.model_validate(start)
