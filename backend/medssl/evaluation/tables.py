"""Scores as a CSV file: one line a case and segment, so that any statistics program can group them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from medssl.evaluation.metrics import ClassScore
from medssl.storage import write_text


@dataclass(frozen=True)
class CaseScores:
    """The scores of one case, one a segment.

    Attributes:
        case: the case's name.
        scores: one a segment, in the schema's order.
        uncertainty: the case score, 0 certain .. 1 uncertain, where there is one.
        reference: how the reference came about: drawn, accepted or corrected; empty when it is not known.
    """

    case: str
    scores: tuple[ClassScore, ...]
    uncertainty: float | None = None
    reference: str = ""


def write_scores(path: Path, cases: Sequence[CaseScores]) -> None:
    """Write the scores as UTF-8 CSV with a header; what cannot be said is an empty field, never a 0.

    Raises:
        StorageError: the file could not be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    metrics = [metric.name for metric in fields(ClassScore)][1:]
    writer.writerow(["case", "segment", *metrics, "uncertainty", "reference"])
    for case in cases:
        for score in case.scores:
            name, *numbers = astuple(score)
            known = map(_number, [*numbers, case.uncertainty])
            writer.writerow([case.case, name, *known, case.reference])
    write_text(path, text.getvalue())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
