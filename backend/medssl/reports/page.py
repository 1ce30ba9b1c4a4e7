"""The report's page: one HTML file that needs nothing else, now and in ten years."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from statistics import median

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medssl.evaluation.ranking import spearman
from medssl.evaluation.summary import ClassSummary, Spread, summarise
from medssl.labels import Segment
from medssl.reports.model import FLAG_WORDS, SHOWN_DIGITS, Report, ReportRow
from medssl.reports.verdicts import judge
from medssl.reports.volumes import Unusual, VolumeSpread
from medssl.storage import write_text
from medssl.words import counted


@dataclass(frozen=True)
class _Plot:
    """The volumes of a segment on a line from `low` to `high` ml; places on it run from 0 to 1.

    `dots` holds place, scan and whether the volume is unusual; `box` holds the quartiles and the median.
    """

    low: float
    high: float
    dots: tuple[tuple[float, str, Unusual | None], ...]
    box: tuple[float, float, float] | None


@dataclass(frozen=True)
class _SegmentView:
    """One segment over the whole report.

    `dots` are the cases' Dice coefficients: what the small strip plot shows.
    """

    segment: Segment
    volume_ml: Spread | None
    usual: VolumeSpread | None
    plot: _Plot | None
    summary: ClassSummary | None
    dots: tuple[float, ...]


def write_report(path: Path, report: Report) -> None:
    """Write the report as one self-contained HTML file.

    Raises:
        StorageError: the file could not be written.
    """
    write_text(path, render(report))


def render(report: Report) -> str:
    """Return the report as the text of an HTML page without any outside resource."""
    template = _environment().get_template("report.html")
    scored = [row for row in report.rows if row.scores]
    verdicts = judge(report)
    return template.render(
        report=report,
        scored=scored,
        segments=_segment_views(report),
        verdicts=verdicts,
        unusual=sum(verdict.is_unusual for verdict in verdicts),
        mean_dice=Spread.of(row.mean_dice for row in report.rows),
        flags=Counter(verdict.flag for verdict in verdicts if verdict.flag is not None),
        causes=Counter(problem.cause for problem in report.problems),
        actions=Counter(entry.action for entry in report.history),
        decision_s=_median_seconds(report),
        ranking=_ranking(scored),
        flag_words=FLAG_WORDS,
        digits=SHOWN_DIGITS,
        most_uncertain=_most_uncertain(report),
        has_scores=bool(scored),
        has_stacks=any(row.stack for row in report.rows),
        has_previews=any(row.previews for row in report.rows),
        has_uncertainty=any(row.uncertainty is not None for row in report.rows),
        has_volumes=any(volume is not None for row in report.rows for volume in row.volumes_ml),
        has_reference=any(o.reference for row in report.rows for p in row.previews for o in p.outlines),
        style=_asset("report.css"),
        script=_asset("report.js"),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("medssl.reports", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = counted
    environment.filters["data_uri"] = _data_uri
    environment.filters["ml"] = _ml
    environment.filters["duration"] = _duration
    return environment


def _asset(name: str) -> Markup:
    """Return one of the package's own files, trusted as it stands."""
    return Markup((files("medssl.reports") / "assets" / name).read_text(encoding="utf-8"))


def _segment_views(report: Report) -> list[_SegmentView]:
    scored = [row.scores for row in report.rows if row.scores]
    summaries = summarise(scored)
    views = []
    for number, segment in enumerate(report.segments):
        measured = [(row.name, row.volumes_ml[number]) for row in report.rows if row.volumes_ml]
        known = [(name, volume) for name, volume in measured if volume is not None]
        usual = VolumeSpread.of([volume for _, volume in known])
        views.append(
            _SegmentView(
                segment=segment,
                volume_ml=Spread.of(volume for _, volume in known),
                usual=usual,
                plot=_plot(known, usual),
                summary=summaries[number] if summaries else None,
                dots=tuple(dice for scores in scored if (dice := scores[number].dice) is not None),
            )
        )
    return views


def _plot(known: list[tuple[str, float]], usual: VolumeSpread | None) -> _Plot | None:
    if len(known) < 2:
        return None
    low, high = min(volume for _, volume in known), max(volume for _, volume in known)
    width = high - low or 1.0

    def place(volume: float) -> float:
        return (volume - low) / width

    dots = tuple((place(v), name, None if usual is None else usual.judge(v)) for name, v in known)
    box = None if usual is None else (place(usual.first), place(usual.median), place(usual.third))
    return _Plot(low, high, dots, box)


def _ranking(scored: list[ReportRow]) -> float | None:
    """Return how well the uncertainty foretells the true Dice: 1 is a perfect order, from worst to best."""
    pairs = [
        (row.uncertainty, row.mean_dice)
        for row in scored
        if row.uncertainty is not None and row.mean_dice is not None
    ]
    correlation = spearman([uncertainty for uncertainty, _ in pairs], [dice for _, dice in pairs])
    return None if correlation is None else -correlation


def _most_uncertain(report: Report) -> float:
    """The score that fills the bar beside a score: a scale of its own for every report."""
    known = [row.uncertainty for row in report.rows if row.uncertainty is not None]
    return max([*known, 1e-6 if report.scale is None else report.scale.check_above])


def _median_seconds(report: Report) -> float | None:
    spent = [entry.seconds for entry in report.history if entry.seconds is not None]
    return median(spent) if spent else None


def _data_uri(picture: bytes) -> str:
    starts = {b"\x89PNG": "png", b"RIFF": "webp"}
    kind = starts.get(picture[:4], "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def _ml(volume_ml: float) -> str:
    """Write a volume with three telling digits: 0.532, 5.32, 53.2, 532."""
    for limit, digits in ((1, 3), (10, 2), (100, 1)):
        if volume_ml < limit:
            return f"{volume_ml:.{digits}f}"
    return f"{volume_ml:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
