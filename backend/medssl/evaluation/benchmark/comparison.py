"""What the runs of a benchmark say together: means over seeds, and differences case by case."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import t as student

from medssl.evaluation.benchmark.runs import Arm, CaseResult, Results, RunResult
from medssl.evaluation.benchmark.settings import Measure
from medssl.evaluation.ranking import spearman
from medssl.evaluation.summary import Spread

LEVEL = 0.95  # of the confidence intervals


@dataclass(frozen=True)
class Difference:
    """How far an arm is above the baseline on the same cases with the same seeds.

    The interval is Student's, over the cases, of the difference averaged over seeds: it says how sure the
    difference is for other unseen cases, with the cases that were annotated here. What other annotated cases
    would change, it cannot know.

    Attributes:
        mean: of the Dice coefficients' differences.
        low: lower end of the 95 % interval; None with fewer than two cases.
        high: its upper end.
        cases: that were compared.
        seeds: that both were run with.
        above: seeds with which the arm was above the baseline.
    """

    mean: float
    low: float | None
    high: float | None
    cases: int
    seeds: int
    above: int


@dataclass(frozen=True)
class Cell:
    """One arm with one number of annotated cases, over all seeds that were run.

    Attributes:
        dice: mean Dice of the held-out cases, one value a seed.
        of_segment: the same of each segment, in the order of `segments`.
        whole: Dice of all segments as one.
        ranking: rank correlation of certainty with true Dice: 1 is a perfect order from worst to best.
        versions: of MedSSL that made it.
        difference: from the baseline; None for the baseline itself and where no seed is common.
    """

    dataset: str
    measure: Measure
    annotated: int
    arm: Arm
    seeds: tuple[int, ...]
    segments: tuple[str, ...]
    steps: float
    pretraining_steps: float
    seconds: float
    dice: Spread | None
    dice_of_seeds: tuple[float, ...]
    of_segment: tuple[Spread | None, ...]
    whole: Spread | None
    ranking: Spread | None
    ranking_of_proposals: Spread | None
    versions: tuple[str, ...]
    difference: Difference | None


def cells_of(results: Results, baseline: Arm) -> list[Cell]:
    """Gather the results by what they measured, the baseline's first, then in the order they are given."""
    groups: dict[tuple[str, str, int, Arm], list[RunResult]] = {}
    for run, result in results.items():
        groups.setdefault((run.dataset, run.measure.model_dump_json(), run.annotated, run.arm), []).append(
            result
        )
    arms = [baseline, *dict.fromkeys(run.arm for run in results if run.arm != baseline)]
    ordered = sorted(groups, key=lambda key: (key[0], key[1], key[2], arms.index(key[3])))
    return [
        _cell(
            sorted(groups[key], key=lambda result: result.run.seed),
            [] if key[3] == baseline else groups.get((*key[:3], baseline), []),
        )
        for key in ordered
    ]


def difference_between(ours: Sequence[RunResult], theirs: Sequence[RunResult]) -> Difference | None:
    """Compare two groups of runs case by case, with the seeds that are in both; None when none is."""
    theirs_of = {result.run.seed: _dice_of_cases(result) for result in theirs}
    pairs = [
        (_dice_of_cases(result), theirs_of[result.run.seed])
        for result in ours
        if result.run.seed in theirs_of
    ]
    names = (
        [name for name in pairs[0][0] if all(name in side for pair in pairs for side in pair)]
        if pairs
        else []
    )
    if not names:
        return None
    of_seeds = [statistics.fmean(mine[name] - other[name] for name in names) for mine, other in pairs]
    of_cases = [statistics.fmean(mine[name] - other[name] for mine, other in pairs) for name in names]
    mean, half = statistics.fmean(of_cases), None
    if len(of_cases) > 1:
        error = statistics.stdev(of_cases) / len(of_cases) ** 0.5
        half = float(student.ppf((1 + LEVEL) / 2, len(of_cases) - 1)) * error
    return Difference(
        mean=mean,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        cases=len(names),
        seeds=len(pairs),
        above=sum(value > 0 for value in of_seeds),
    )


def _dice_of_cases(result: RunResult) -> dict[str, float]:
    found = {case.name: case.mean_dice for case in result.cases}
    return {name: dice for name, dice in found.items() if dice is not None}


def _cell(results: Sequence[RunResult], baseline: Sequence[RunResult]) -> Cell:
    run, segments = results[0].run, results[0].segments
    return Cell(
        dataset=run.dataset,
        measure=run.measure,
        annotated=run.annotated,
        arm=run.arm,
        seeds=tuple(result.run.seed for result in results),
        segments=segments,
        steps=statistics.fmean(result.steps for result in results),
        pretraining_steps=statistics.fmean(result.pretraining_steps for result in results),
        seconds=statistics.fmean(result.seconds for result in results),
        dice=Spread.of(result.dice for result in results),
        dice_of_seeds=tuple(result.dice for result in results if result.dice is not None),
        of_segment=tuple(
            Spread.of(_mean(case.dice[index] for case in result.cases) for result in results)
            for index in range(len(segments))
        ),
        whole=Spread.of(_mean(case.whole for case in result.cases) for result in results),
        ranking=Spread.of(_ranking(result.cases) for result in results),
        ranking_of_proposals=Spread.of(_ranking(result.proposals) for result in results),
        versions=tuple(sorted({result.medssl_version for result in results})),
        difference=difference_between(results, baseline),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    spread = Spread.of(values)
    return None if spread is None else spread.mean


def _ranking(cases: Sequence[CaseResult]) -> float | None:
    pairs = [(case.uncertainty, case.mean_dice) for case in cases if case.mean_dice is not None]
    correlation = spearman([uncertainty for uncertainty, _ in pairs], [dice for _, dice in pairs])
    return None if correlation is None else -correlation
