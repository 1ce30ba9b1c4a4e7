from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from medssl.evaluation.metrics import ClassScore
from medssl.evaluation.ranking import spearman
from medssl.evaluation.summary import Spread, mean_dice, summarise
from medssl.evaluation.tables import CaseScores, write_scores

GOOD = ClassScore("Liver", 0.9, 0.82, 2.0, 0.5, 1500.0, 1400.0)
FAIR = ClassScore("Liver", 0.7, 0.54, 6.0, 1.5, 1200.0, 1400.0)
MISSED = ClassScore("Liver", 0.0, 0.0, None, None, 0.0, 1400.0)
INVENTED = ClassScore("Liver", 0.0, 0.0, None, None, 3.0, 0.0)
ABSENT = ClassScore("Liver", None, None, None, None, 0.0, 0.0)


def test_a_missed_segment_lowers_the_dice_and_does_not_improve_the_distance() -> None:
    (summary,) = summarise([(GOOD,), (FAIR,), (MISSED,)])
    assert summary.dice is not None
    assert summary.dice.mean == pytest.approx(1.6 / 3)
    assert summary.hd95_mm is not None
    assert (summary.hd95_mm.count, summary.hd95_mm.mean) == (2, 4.0)
    assert summary.missed == 1


def test_cases_without_the_segment_are_counted_and_not_averaged() -> None:
    (summary,) = summarise([(GOOD,), (ABSENT,), (INVENTED,)])
    assert summary.dice is not None
    assert summary.dice.count == 2
    assert (summary.absent, summary.invented, summary.missed) == (1, 1, 0)


def test_nothing_scored_gives_no_numbers() -> None:
    (summary,) = summarise([(ABSENT,)])
    assert (summary.dice, summary.hd95_mm) == (None, None)
    assert summarise([]) == ()
    assert mean_dice([ABSENT]) is None
    assert mean_dice([ABSENT, GOOD]) == 0.9


def test_a_spread_is_that_of_a_sample_and_one_number_has_none() -> None:
    spread = Spread.of([1.0, None, 3.0])
    assert spread == Spread(count=2, mean=2.0, std=pytest.approx(math.sqrt(2)), median=2.0, low=1.0, high=3.0)
    single = Spread.of([0.5])
    assert single is not None
    assert single.std is None
    assert (spread.text(2), single.text()) == ("2.00 ± 1.41", "0.500")


def test_a_rank_correlation_sees_the_order_and_not_the_distances() -> None:
    assert spearman([1, 2, 3, 40], [0.1, 0.2, 0.3, 0.31]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_a_rank_correlation_that_cannot_be_said_is_none() -> None:
    assert spearman([], []) is None
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    with pytest.raises(ValueError, match="finite"):
        spearman([1, 2, math.nan], [1, 2, 3])
    with pytest.raises(ValueError, match="pairs"):
        spearman([1, 2, 3], [1, 2])


def test_the_table_has_one_line_a_case_and_segment_and_leaves_the_unknown_empty(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "scores.csv"
    write_scores(path, [CaseScores('Müller, "A"', (GOOD,), uncertainty=0.125), CaseScores("b", (MISSED,))])
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["case"] for line in lines] == ['Müller, "A"', "b"]
    assert lines[0]["segment"] == "Liver"
    assert float(lines[0]["dice"]) == 0.9
    assert float(lines[0]["uncertainty"]) == 0.125
    assert (lines[1]["dice"], lines[1]["hd95_mm"], lines[1]["uncertainty"]) == ("0", "", "")
