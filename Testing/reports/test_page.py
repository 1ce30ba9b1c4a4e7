"""The report as a reader meets it: in a real browser, where one is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from color_contrast import contrast
from medssl.evaluation.metrics import ClassScore
from medssl.imaging.volume import Grid, Volume
from medssl.labels import LabelSchema
from medssl.reports.data import as_json
from medssl.reports.model import Fact, HistoryEntry, Problem, Report, ReportRow, Scale
from medssl.reports.page import render, write_report
from medssl.reports.previews import make_previews
from medssl.reports.scene import Scene
from medssl.reports.stacks import make_stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SEGMENTS = LabelSchema.of_names({1: "Head", 2: "Body"}).segments
NOW = datetime(2026, 3, 4, 15, 6, tzinfo=timezone.utc)


def row(name: str, uncertainty: float | None, dice: float | None, *, ml: float = 1.5) -> ReportRow:
    array = np.arange(12 * 14 * 10, dtype=np.int16).reshape(12, 14, 10)
    values = np.zeros(array.shape, dtype=np.uint8)
    values[4:8, 4:9, 3:7] = 1
    values[4:8, 9:12, 3:7] = 2
    scan = Volume(array, Grid(size=(10, 14, 12), spacing_mm=(1.0, 1.0, 2.0)))
    reference = None if dice is None else np.roll(values, 1, axis=1)
    scores: tuple[ClassScore, ...] = ()
    if dice is not None:
        missed = ClassScore("Body", 0.0, 0.0, None, None, 0.0, 2.0)
        scores = (ClassScore("Head", dice, dice / (2 - dice), 1.25, 0.5, ml, 1.4), missed)
    return ReportRow(
        name=name,
        source=f"new/{name}.nii.gz",
        state="new scan",
        volumes_ml=(ml, 0.0),
        scores=scores,
        uncertainty=uncertainty,
        previews=make_previews(Scene.of(scan, values, reference), SEGMENTS, 5),
        stack=make_stack(Scene.of(scan, values), SEGMENTS, 5),
        note="Read with care." if name == "scan 10" else "",
    )


REPORT = Report(
    title="Hippocampus, refined",
    created=NOW,
    segments=SEGMENTS,
    rows=(
        row("scan 10", 0.31, 0.6, ml=12),
        row("scan 2", 0.04, 0.9, ml=2),
        row("Übung <b>", 0.12, 0.8, ml=100),
        row("no score", None, None, ml=3),
    ),
    facts=(Fact("Model", "m-17"),),
    card=(Fact("Intended use", "Research"),),
    settings=(Fact("Seed", "0"),),
    problems=(
        Problem("broken", "broken.nii.gz is empty.", "failed", "Copy it again."),
        Problem("flat", "2D", "left out"),
    ),
    history=(HistoryEntry(NOW, "scan 2", "accepted", "Dr. A", 34.0, "m-16"),),
    notes=("There were no validation cases.",),
    scale=Scale(look_above=0.1, check_above=0.25, among="the 20 cases of the project"),
)


def test_the_page_names_what_was_done_what_failed_and_with_what() -> None:
    page = render(REPORT)
    for words in ("Hippocampus, refined", "2026-03-04 at 15:06", "m-17", "There were no validation cases."):
        assert words in page
    for words in ("broken.nii.gz is empty.", "Copy it again.", "Dr. A", "34 s", "1 accepted", "Seed"):
        assert words in page
    assert "(1 failed, 1 left out)" in page


def test_names_of_files_cannot_change_the_page() -> None:
    page = render(REPORT)
    assert "Übung <b>" not in page
    assert "Übung &lt;b&gt;" in page


def test_the_page_loads_nothing_from_anywhere() -> None:
    page = render(REPORT)
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert not re.search(r"https?:|url\(|@import", page)


def test_a_missed_segment_shows_dice_zero_and_no_distance() -> None:
    page = render(replace(REPORT, rows=(REPORT.rows[0],)))
    assert re.search(r'0\.000<span class="fine">missed</span>', page)


def test_a_single_slice_and_a_single_decision_are_told_as_one() -> None:
    first = REPORT.rows[0]
    assert first.stack is not None
    flat = replace(first, stack=replace(first.stack, numbers=(5,), first=0))
    page = render(replace(REPORT, rows=(flat,)))
    assert "<span>1 slice</span>" in page
    assert "<summary>1 decision: 1 accepted" in page


def test_a_report_without_scores_previews_or_rows_is_still_a_page() -> None:
    bare = ReportRow("a", volumes_ml=(1.0, None))
    assert "Dice" not in render(Report("t", NOW, SEGMENTS, (bare,)))
    assert "No scan was segmented." in render(Report("t", NOW, SEGMENTS, ()))


def test_words_follow_the_number_as_it_is_shown() -> None:
    scale = Scale(look_above=0.1, check_above=0.25, among="others")
    flags = [scale.flag(score) for score in (0.0, 0.1004, 0.1006, 0.2504, 0.2506, 1.0)]
    assert flags == ["clear", "clear", "look", "look", "check", "check"]


@pytest.mark.parametrize("size", [1.0, 0.1])
def test_a_scan_is_marked_by_how_it_compares_with_others_and_not_by_a_number(size: float) -> None:
    others = [size * score for score in (0.30, 0.32, 0.34, 0.36, 0.38, 0.40, 0.42, 0.44, 0.46)]
    scale = Scale.of(others, "others")
    assert scale is not None
    # The quartiles are 0.34 and 0.42, so that the fence is at 0.42 + 1.5 * 0.08 = 0.54.
    flags = [scale.flag(size * score) for score in (0.0, 0.42, 0.43, 0.54, 0.55)]
    assert flags == ["clear", "clear", "look", "look", "check"]


def test_among_equal_scans_none_is_marked_and_few_scans_tell_nothing() -> None:
    equal = Scale.of([0.2] * 8, "others")
    assert equal is not None
    assert equal.flag(0.2) == "clear"
    assert Scale.of([0.2, 0.9] * 3, "others") is None
    page = render(replace(REPORT, scale=None))
    assert "none is marked" in page
    assert "uncertainty 0.310" in page
    assert not re.search(r'data-flag="\w', page)


def test_a_hundred_scans_stay_below_ten_megabytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    scan = Volume(random.normal(size=(8, 360, 360)).astype(np.float32), Grid((360, 360, 8), (0.7, 0.7, 5.0)))
    z, y, x = np.ogrid[:8, :360, :360]
    values = ((y - 180) ** 2 + (x - 180) ** 2 + 900 * (z - 4) ** 2 < 150**2).astype(np.uint8)
    previews = make_previews(Scene.of(scan, values, np.roll(values, 3, axis=2)), SEGMENTS, 2)
    stack = make_stack(Scene.of(scan, values), SEGMENTS, 2)
    rows = tuple(
        replace(REPORT.rows[0], name=f"scan {i}", previews=previews, stack=stack) for i in range(100)
    )
    path = tmp_path / "report.html"
    write_report(path, replace(REPORT, rows=rows))
    assert path.stat().st_size < 10_000_000


# In the browser


class Reader:
    """Somebody with the report open, who notes every request and every complaint of the browser."""

    def __init__(self, page: Page, requests: list[str], complaints: list[str]) -> None:
        self.page = page
        self.requests = requests
        self.complaints = complaints

    def names(self) -> list[str]:
        """The scans that are shown, from top to bottom."""
        return self.page.locator("#cases tbody tr:visible .name").all_inner_texts()

    def heading(self, words: str) -> str:
        """How a column says that it is sorted."""
        found = self.page.locator("#cases th", has=self.page.locator(f'.sort[data-label="{words}"]'))
        return found.get_attribute("aria-sort") or ""


@pytest.fixture
def reader(browser: Browser, tmp_path: Path) -> Iterator[Reader]:
    path = tmp_path / "report.html"
    write_report(path, REPORT)
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    yield Reader(page, requests, complaints)
    page.close()


def test_columns_sort_both_ways_with_the_unknown_last(reader: Reader) -> None:
    reader.page.get_by_role("button", name="Uncertainty").click()
    assert reader.names() == ["scan 10", "Übung <b>", "scan 2", "no score"]
    assert reader.heading("uncertainty") == "descending"
    reader.page.get_by_role("button", name="Uncertainty").click()
    assert reader.names() == ["scan 2", "Übung <b>", "scan 10", "no score"]
    reader.page.locator('.sort[data-label="ml of Head"]').click()
    assert reader.names() == ["Übung <b>", "scan 10", "no score", "scan 2"]
    assert reader.heading("uncertainty") == "none"


def test_names_sort_as_a_person_counts_and_by_the_keyboard_alone(reader: Reader) -> None:
    reader.page.locator('.sort[data-label="name"]').focus()
    reader.page.keyboard.press("Enter")
    assert reader.names() == ["no score", "scan 2", "scan 10", "Übung <b>"]


def test_scans_are_found_by_name_and_by_flag(reader: Reader) -> None:
    reader.page.get_by_label("Find").fill("SCAN 1")
    assert reader.names() == ["scan 10"]
    assert reader.page.locator("#count").inner_text() == "1 of 4 shown"
    reader.page.get_by_label("Show").select_option("look")
    assert reader.names() == []
    reader.page.get_by_role("button", name="Show all").click()
    assert len(reader.names()) == 4
    reader.page.get_by_label("Show").select_option("check")
    assert reader.names() == ["scan 10"]


def test_a_picture_is_enlarged_and_the_arrows_walk_through_planes_and_scans(reader: Reader) -> None:
    page = reader.page
    page.get_by_role("button", name="Enlarge scan 10, coronal").click()
    caption, name = page.locator("#large-caption"), page.locator("#large-name")
    assert caption.inner_text().startswith("Coronal slice")
    page.keyboard.press("ArrowRight")
    assert caption.inner_text().startswith("Sagittal slice")
    page.keyboard.press("ArrowDown")
    assert name.inner_text() == "scan 2"
    assert page.locator("#large-picture image").count() == 1
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()


def test_outlines_can_be_hidden(reader: Reader) -> None:
    outline = reader.page.locator(".outline:not(.reference)").first
    reference = reader.page.locator(".outline.reference").first
    assert outline.evaluate("e => getComputedStyle(e).display") != "none"
    reader.page.get_by_label("Reference").uncheck()
    assert reference.evaluate("e => getComputedStyle(e).display") == "none"
    assert outline.evaluate("e => getComputedStyle(e).display") != "none"
    reader.page.get_by_label("Outlines").uncheck()
    assert outline.evaluate("e => getComputedStyle(e).display") == "none"


def test_a_telephone_shows_cards_that_fit_and_sorts_them(reader: Reader) -> None:
    reader.page.set_viewport_size({"width": 380, "height": 800})
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 380
    plots = reader.page.locator(".strip.volumes")
    assert all(box["x"] + box["width"] <= 380 for box in (p.bounding_box() for p in plots.all()) if box)
    reader.page.get_by_label("Sort by").select_option(label="mean Dice ↑")
    assert reader.names() == ["scan 10", "Übung <b>", "scan 2", "no score"]


@pytest.mark.parametrize("width", [1040, 1200, 1500])
def test_all_figures_of_the_segments_are_in_sight(reader: Reader, width: int) -> None:
    reader.page.set_viewport_size({"width": width, "height": 800})
    hidden = "table => table.parentElement.scrollWidth - table.parentElement.clientWidth"
    assert reader.page.locator(".segments").evaluate(hidden) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_shows_the_scans_in_black_on_white_and_no_buttons(reader: Reader, scheme: str) -> None:
    page = reader.page
    page.emulate_media(media="print", color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 1032, "height": 700})  # A4 on its side between its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 1032
    assert page.locator(".tools:visible, .slices:visible, .sort:visible, dialog:visible").count() == 0
    assert page.locator(".preview:visible").count() == page.locator(".preview").count() > 0
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    heads = page.locator("#cases thead").inner_text()
    assert "Uncertainty" in heads  # columns keep their names when their buttons go
    assert page.pdf(format="A4", landscape=True).startswith(b"%PDF")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(reader: Reader, scheme: str) -> None:
    reader.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    colours = reader.page.evaluate(
        """() => {
          const page = getComputedStyle(document.body);
          const card = getComputedStyle(document.querySelector('.scroll')).backgroundColor;
          const soft = [...document.querySelectorAll('.flag, td .fine')].map(e => getComputedStyle(e).color);
          return [[page.color, page.backgroundColor], ...soft.map(colour => [colour, card])];
        }"""
    )
    assert min(contrast(*pair) for pair in colours) >= 4.5


def test_the_browser_asks_for_nothing_and_complains_about_nothing(reader: Reader) -> None:
    reader.page.locator(".preview").first.click()
    reader.page.wait_for_function("[...document.images].every(image => image.complete)")
    asked = [url for url in reader.requests if not url.startswith("data:")]
    assert asked == [reader.page.url]
    assert reader.complaints == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 1300), ("light", 380)])
def test_axe_finds_nothing_to_complain_about(reader: Reader, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    reader.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    reader.page.set_viewport_size({"width": width, "height": 900})

    def complaints() -> list[str]:
        found = axe.run(reader.page).response["violations"]
        return [f"{v['id']}: {node['html'][:120]}" for v in found for node in v["nodes"]]

    assert complaints() == []
    reader.page.locator(".slices").first.click()
    reader.page.locator("#leaf").wait_for()
    assert complaints() == []
    reader.page.keyboard.press("Escape")
    reader.page.locator(".preview").first.click()
    assert complaints() == []


def test_slices_are_leafed_through_by_slider_wheel_and_keys(reader: Reader) -> None:
    page = reader.page
    page.get_by_role("button", name="Leaf through the slices of scan 10").click()
    caption = page.locator("#leaf-caption")
    assert caption.inner_text() == "Axial slice 6 of 12"  # the most uncertain one
    page.keyboard.press("ArrowRight")
    assert caption.inner_text() == "Axial slice 7 of 12"
    page.get_by_role("slider", name="Slice").fill("0")
    assert caption.inner_text() == "Axial slice 1 of 12"
    page.locator("#leaf-picture").hover()
    page.mouse.wheel(0, 100)
    page.wait_for_function("document.querySelector('#leaf-caption').textContent === 'Axial slice 2 of 12'")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('#leaf-name').textContent === 'scan 2'")
    page.keyboard.press("Escape")
    assert not page.locator("#leaf").is_visible()
    page.wait_for_function(
        "document.activeElement.getAttribute('aria-label') === 'Leaf through the slices of scan 2'"
    )


def test_segments_lie_over_a_slice_as_strongly_as_the_slider_says(reader: Reader) -> None:
    page = reader.page
    page.get_by_role("button", name="Leaf through the slices of scan 10").click()
    page.locator("#leaf").wait_for()

    def shown() -> list[int]:
        middle = "[Math.round(canvas.width * 0.5), Math.round(canvas.height * 0.45)]"
        code = f"() => {{ const canvas = document.querySelector('#leaf-picture'); const [x, y] = {middle};"
        return list(
            page.evaluate(code + "return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data]; }")
        )

    page.get_by_role("slider", name="Segments").fill("100")
    assert np.abs(np.array(shown()[:3]) - SEGMENTS[0].colour).max() <= 2
    page.get_by_role("slider", name="Segments").fill("0")
    red, green, blue, _ = shown()
    assert max(red, green, blue) - min(red, green, blue) <= 8  # grey


def test_a_volume_that_stands_out_is_marked_and_found(browser: Browser, tmp_path: Path) -> None:
    volumes = [1.4, 1.5, 1.5, 1.6, 1.5, 1.4, 1.6, 1.5, 9.0]
    rows = tuple(ReportRow(f"scan {i}", volumes_ml=(ml, 1.0)) for i, ml in enumerate(volumes))
    write_report(tmp_path / "report.html", replace(REPORT, rows=rows))
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert "1\nwith an unusual volume" in page.get_by_role("list", name="In short").inner_text()
    page.get_by_label("Unusual volumes only (1)").check()
    assert page.locator("#cases tbody tr:visible .name").all_inner_texts() == ["scan 8"]
    assert page.locator("#cases .odd-word").all_inner_texts() == ["unusually large"]
    plot = page.get_by_role("img", name="Volumes of Head from 1.40 to 9.00 ml, 1 unusual")
    assert plot.locator("circle.odd title").text_content() == "scan 8: unusually large"
    page.close()


def test_the_data_says_the_same_as_the_page_without_pictures() -> None:
    content = json.loads(as_json(REPORT))
    scan = content["scans"][0]
    assert (scan["name"], scan["volumes_ml"], scan["flag"]) == (
        "scan 10",
        {"Head": 12, "Body": 0.0},
        REPORT.flag(REPORT.rows[0]),
    )
    assert scan["scores"][0]["dice"] == 0.6
    assert scan["note"] == "Read with care."
    assert content["problems"][1] == {"name": "flat", "reason": "2D", "cause": "left out", "remedy": ""}
    assert content["card"] == {"Intended use": "Research"}
    assert content["history"][0]["author"] == "Dr. A"
