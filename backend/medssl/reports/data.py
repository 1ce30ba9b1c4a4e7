"""What a report says, for programs: the same facts and numbers as JSON, without the pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medssl.reports.model import Report, ReportRow
from medssl.reports.verdicts import Verdict, judge
from medssl.storage import write_text

SIGN = '"generator": "MedSSL report"'  # near the beginning of every such file


def write_data(path: Path, report: Report) -> None:
    """Write the report's facts and numbers as JSON, atomically.

    Raises:
        StorageError: the file could not be written.
    """
    write_text(path, as_json(report))


def as_json(report: Report) -> str:
    """Return the report's facts and numbers as JSON: volumes in ml, distances in mm, scores from 0 to 1."""
    names = [segment.name for segment in report.segments]
    content = {
        "generator": "MedSSL report",
        "title": report.title,
        "created": report.created.isoformat(),
        "segments": [{"name": segment.name, "value": segment.value} for segment in report.segments],
        **{
            part: {fact.label: fact.text for fact in getattr(report, part)}
            for part in ("facts", "card", "settings")
        },
        "notes": list(report.notes),
        "scans": [
            _scan(row, verdict, names) for row, verdict in zip(report.rows, judge(report), strict=True)
        ],
        "problems": [asdict(problem) for problem in report.problems],
        "history": [{**asdict(entry), "time": entry.time.isoformat()} for entry in report.history],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _scan(row: ReportRow, verdict: Verdict, names: list[str]) -> dict[str, Any]:
    return {
        "name": row.name,
        "source": row.source,
        "state": row.state,
        "note": row.note,
        "volumes_ml": dict(zip(names, row.volumes_ml, strict=True)) if row.volumes_ml else {},
        "unusual_volumes": {name: word for name, word in zip(names, verdict.volumes, strict=True) if word},
        "uncertainty": row.uncertainty,
        "flag": verdict.flag,
        "mean_dice": row.mean_dice,
        "scores": [asdict(score) for score in row.scores],
    }
