"""The report in windows of every width: numbers in sight, and colors beside the names that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from medssl.imaging.volume import Grid, Volume
from medssl.labels import LabelSchema
from medssl.reports.model import Report, ReportRow, Scale
from medssl.reports.page import write_report
from medssl.reports.previews import make_previews
from medssl.reports.scene import Scene
from medssl.reports.stacks import make_stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SEGMENTS = LabelSchema.of_names({1: "Anterior hippocampus", 2: "Posterior hippocampus"}).segments


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A report of two scans, one of which has the long name that DICOM series get."""
    values = np.zeros((12, 14, 10), dtype=np.uint8)
    values[4:8, 4:9, 3:7] = 1
    scan = Volume(values.astype(np.int16), Grid(size=(10, 14, 12), spacing_mm=(1.0, 1.0, 2.0)))
    scene = Scene.of(scan, values)
    rows = tuple(
        ReportRow(
            name,
            source="hippocampus_127.nii.gz",
            state="done before",
            volumes_ml=(6.05, 3.09),
            uncertainty=0.45,
            previews=make_previews(scene, SEGMENTS, 5),
            stack=make_stack(scene, SEGMENTS, 5),
        )
        for name in ("hippocampus_127", "study-bae942/series-000-67ca2283")
    )
    made = datetime(2026, 3, 4, tzinfo=timezone.utc)
    scale = Scale(look_above=0.3, check_above=0.4, among="others")
    write_report(tmp_path / "report.html", Report("Widths", made, SEGMENTS, rows, scale=scale))
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    page.close()


@pytest.mark.parametrize("width", [1400, 1100, 1030, 900, 840, 480])
def test_whole_names_and_volumes_are_in_sight_at_every_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for name in page.locator("#cases .name").all():
        assert name.evaluate("e => e.scrollHeight <= e.clientHeight && e.clientWidth >= 90")
    for volume in page.locator("#cases td.number").all():
        box = volume.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width


@pytest.mark.parametrize("width", [1400, 1100, 1030])
def test_a_color_stands_beside_the_first_word_of_its_name(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    places = page.evaluate(
        """() => [...document.querySelectorAll('.named')].filter(e => e.offsetParent).map(name => {
          const words = document.createRange();
          words.selectNodeContents(name.lastChild);
          const line = words.getClientRects()[0];
          const swatch = name.querySelector('.swatch').getBoundingClientRect();
          return [line.left - swatch.right, (swatch.top + swatch.bottom - line.top - line.bottom) / 2];
        })"""
    )
    assert len(places) == 4  # of the table of segments and of that of scans
    assert all(0 < gap < 12 and abs(lower) < 3 for gap, lower in places)
