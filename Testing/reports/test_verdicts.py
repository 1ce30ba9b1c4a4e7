"""What the report says of a scan, in its page and in its data."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

from medssl.labels import LabelSchema
from medssl.reports.data import as_json
from medssl.reports.model import Report, ReportRow, Scale
from medssl.reports.page import render

SEGMENTS = LabelSchema.of_names({1: "Head", 2: "Body"}).segments
NOW = datetime(2026, 3, 4, 15, 6, tzinfo=timezone.utc)


def test_a_scan_of_an_unusual_volume_never_looks_clear() -> None:
    rows = tuple(
        ReportRow(f"s{n}", volumes_ml=(9.0 if n == 8 else 1.4, None), uncertainty=0.1) for n in range(10)
    )
    report = Report("t", NOW, SEGMENTS, rows, scale=Scale(look_above=0.2, check_above=0.3, among="others"))
    flags = re.findall(r'data-flag="(\w*)"', render(report))
    assert flags == ["clear"] * 8 + ["look", "clear"]
    told = json.loads(as_json(report))["scans"]
    assert [scan["flag"] for scan in told] == flags
    assert [scan["name"] for scan in told if scan["unusual_volumes"]] == ["s8"]


def test_a_scan_that_is_mostly_wrong_never_looks_clear_whatever_the_others_are_like() -> None:
    rows = tuple(ReportRow(f"s{n}", uncertainty=score) for n, score in enumerate((0.5, 0.501, 0.97, 1.0)))
    all_bad = Scale(look_above=0.98, check_above=0.99, among="others")
    page = render(Report("t", NOW, SEGMENTS, rows, scale=all_bad))
    assert re.findall(r'data-flag="(\w*)"', page) == ["clear", "look", "look", "check"]
    assert "<strong>1</strong> to check, 2 worth a look" in page
    few = render(Report("t", NOW, SEGMENTS, rows))
    assert re.findall(r'data-flag="(\w*)"', few) == ["", "look", "look", "look"]
    assert "<strong>3</strong> worth a look" in few
    assert "more than half wrong is always worth a look" in few


def test_the_report_of_one_scan_compares_it_with_nothing() -> None:
    page = render(Report("t", NOW, SEGMENTS, (ReportRow("a", volumes_ml=(1.0, 2.0), uncertainty=0.1),)))
    for words in ("median and range", "Volume of each scan", 'class="meter"'):
        assert words not in page
    assert '<output id="count" aria-live="polite" hidden>' in page
