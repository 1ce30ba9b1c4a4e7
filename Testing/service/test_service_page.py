"""The web page in a real browser, against a real service with a job that runs in this very process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from color_contrast import contrast
from medssl.events import Log, Metric, Monitor, Progress, Row, State
from medssl.jobs.files import RESULT_FILE, JobFiles
from medssl.project import Project as OpenProject
from service_engine import Engine, propose, write_drawing, write_scan

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class Run:
    """A training that the test reports about."""

    def __init__(self, folder: Path) -> None:
        self.project = OpenProject.open(folder)
        request = {"kind": "train", "settings": {"method": "dual_task", "seconds": 60}}
        row = self.project.new_job("train", json.dumps(request))
        self.id = row.id
        self.files = JobFiles(row.folder, Monitor())
        self.project.set_job_state(row.id, "running")
        self.files.emit(State(state="running"))

    def report(self, step: int) -> None:
        self.files.emit(Progress(stage="Training", done=step, total=100, left_s=75.0))
        self.files.emit(Metric(name="segmentation", value=1 / (step + 1), step=step))
        self.files.emit(Metric(name="dice/Head", value=step / 100, step=step))

    def end(self) -> None:
        self.project.set_job_state(self.id, "failed", error="It diverged.", remedy="Use a smaller rate.")
        self.files.emit(State(state="failed", error="It diverged.", remedy="Use a smaller rate."))

    def close(self) -> None:
        self.files.__exit__()
        self.project.close()


@pytest.fixture(scope="module")
def run(engine: Engine) -> Iterator[Run]:
    """A project with cases in every state, two models, and a training that has come to step 20."""
    project = engine.new_project()
    scan = write_scan(engine.root / "scan.nii.gz")
    with OpenProject.open(Path(project.folder)) as opened:
        for name, score in (("case 9", 0.2), ("case 10", 0.6), ("<b>case</b>", None), ("drawn", None)):
            opened.add_case(name, [scan])
            if score is not None:
                propose(opened, name, score)
        opened.save_annotation("drawn", write_drawing(engine.root / "drawn.nii.gz"))
        for name, dice in (("First", None), ("Second", {"Head": 0.875})):
            model_id, folder = opened.new_model_folder()
            card = {
                "id": model_id,
                "name": name,
                "method": "dual_task",
                "heads": ["segmentation"],
                "created": "2026-03-04T15:06:00+00:00",
                "medssl_version": "0.1.0",
                "annotated_cases": 1,
                "unannotated_cases": 3,
                "steps": 100,
                "seconds": 61.5,
                "seed": 0,
                "validation_dice": dice,
            }
            (folder / "card.json").write_text(json.dumps(card))
            opened.register_model(model_id, name=name, method="dual_task")
    begun = Run(Path(project.folder))
    for step in range(0, 21, 5):
        begun.report(step)
    begun.files.emit(Log(text="<i>A warning</i>", level="warning"))
    yield begun
    begun.close()


@pytest.fixture
def page(browser: Browser, engine: Engine, run: Run) -> Iterator[Page]:
    """The page, opened with the address that `medssl serve` shows on a terminal."""
    opened = browser.new_page(viewport={"width": 1200, "height": 800})
    opened.set_default_timeout(30_000)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(f"{engine.url}/#token={engine.token}")
    opened.locator(".jobs li").first.wait_for()
    yield opened
    opened.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(engine.url)] == []


def test_the_token_leaves_the_address_bar_at_once(page: Page, engine: Engine) -> None:
    assert engine.token not in page.url
    page.reload()
    page.locator(".jobs li").first.wait_for()


def test_without_a_token_the_page_shows_nothing_but_a_question(
    browser: Browser, engine: Engine, run: Run
) -> None:
    stranger = browser.new_page()
    try:
        stranger.goto(engine.url)
        stranger.get_by_label("Token").fill("wrong")
        stranger.get_by_role("button", name="Connect").click()
        stranger.get_by_role("alert").wait_for()
        assert "missing or wrong" in stranger.get_by_role("alert").inner_text()
        assert stranger.locator(".jobs").count() == 0
        stranger.get_by_label("Token").fill(engine.token)
        stranger.get_by_role("button", name="Connect").click()
        stranger.locator(".jobs li").first.wait_for()
    finally:
        stranger.close()


def test_curves_grow_while_the_job_runs(page: Page, run: Run) -> None:
    charts = page.locator(".chart figcaption")
    charts.nth(1).wait_for()
    assert charts.all_inner_texts() == ["Losses", "Dice of the validation cases"]
    before = page.locator(".chart path.curve").first.get_attribute("d")
    assert page.locator(".stage").inner_text().startswith("Training")
    run.report(40)
    page.get_by_text("40 of 100").wait_for()
    page.wait_for_function(
        "before => document.querySelector('.chart path.curve').getAttribute('d') !== before", arg=before
    )
    assert "0.4" in page.locator(".legend").nth(1).inner_text()
    assert "1 min 15 s left" in page.locator(".stage").inner_text()


def test_scans_of_a_folder_are_listed_as_they_are_done(page: Page, run: Run) -> None:
    run.files.emit(Row(name="scan <7>", state="done", volumes_ml={"Head": 1.25}, uncertainty=0.125))
    run.files.emit(Row(name="scan 8", state="failed", note="It is empty."))
    run.files.emit(Row(name="scan 9", state="unfit", note="It is an overview."))
    run.files.emit(Row(name="scan 10", state="skipped"))
    page.locator("tr", has=page.locator("th", has_text="scan 10")).wait_for()
    done = page.locator("tr", has=page.locator("th", has_text="scan <7>"))
    assert done.locator("td").all_inner_texts() == ["done", "0.13", "1.25", ""]
    states = page.locator("td .state").all_inner_texts()
    assert states == ["done before", "left out", "failed", "done"]


def test_jobs_of_one_kind_are_told_apart_and_another_project_can_be_opened(
    page: Page, engine: Engine, run: Run
) -> None:
    assert page.locator(".jobs .about").first.text_content().startswith("dual task · ")  # type: ignore[union-attr]  # it is there
    assert page.locator("h2 small").text_content() == "dual task"
    other = engine.new_project()
    engine.client.forget_project(other.key)
    page.locator("#project").select_option(label="Open another…")
    page.locator("input[name=folder]").fill(other.folder)
    page.get_by_role("button", name="Open").click()
    page.get_by_text("No jobs yet.").wait_for()
    assert page.locator("#project").input_value() == other.key
    engine.client.forget_project(other.key)


def test_words_of_a_curve_are_as_large_on_a_telephone_as_on_a_desk(page: Page) -> None:
    for width in (390, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(1500)
        text = page.locator(".chart text").first
        assert text.evaluate("each => each.getBoundingClientRect().height") > 10
        picture = page.locator(".chart svg").first.bounding_box()
        assert picture is not None
        assert picture["width"] > 250


def test_names_and_messages_cannot_change_the_page(page: Page) -> None:
    assert page.locator(".log .warning").inner_text().endswith("<i>A warning</i>")
    page.get_by_role("link", name="Cases").click()
    page.get_by_role("rowheader", name="<b>case</b>").wait_for()


def test_cases_are_found_filtered_and_ordered(page: Page) -> None:
    page.get_by_role("link", name="Cases").click()
    names = page.locator("tbody th")
    names.first.wait_for()
    assert names.all_inner_texts() == ["<b>case</b>", "case 9", "case 10", "drawn"]
    page.get_by_label("Order").select_option(label="most uncertain first")
    page.wait_for_function("() => document.querySelector('tbody th').innerText === 'case 10'")
    page.get_by_label("State").select_option("annotated")
    page.get_by_text("1 to 1 of 1").wait_for()
    assert names.all_inner_texts() == ["drawn"]
    page.get_by_label("Find a case").fill("nobody")
    page.get_by_text("No case is like this.").wait_for()


def test_models_say_how_good_they_are_or_that_nobody_knows(page: Page) -> None:
    page.get_by_role("link", name="Models").click()
    cards = page.locator("article")
    cards.first.wait_for()
    texts = {card.split("\n")[0]: card for card in cards.all_inner_texts()}
    assert "0.875" in texts["Second"]
    assert "not known" in texts["First"]


def test_the_computer_is_described(page: Page, engine: Engine) -> None:
    page.get_by_role("link", name="Computer").click()
    page.get_by_text(str(engine.root)).wait_for()
    assert "GB free" in page.get_by_role("status").inner_text()


def test_a_telephone_shows_all_of_it(page: Page) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    for part in ("Jobs", "Cases", "Models", "Computer"):
        page.get_by_role("link", name=part).click()
        page.locator(".view > *").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 380, part


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_on_the_page_stand_out_from_their_ground(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    pairs = page.evaluate(
        """() => {
          const ground = e => {
            for (; e; e = e.parentElement) {
              const colour = getComputedStyle(e).backgroundColor;
              if (colour !== 'rgba(0, 0, 0, 0)') return colour;
            }
          };
          return [...document.querySelectorAll('.fine, .state, h2, nav a, .legend li, .log li, #engine')]
            .map(e => [getComputedStyle(e).color, ground(e), e.className || e.tagName]);
        }"""
    )
    assert {where: contrast(ink, paper) for ink, paper, where in pairs if contrast(ink, paper) < 4.5} == {}


def test_a_job_that_failed_says_why_and_offers_to_resume(page: Page, run: Run) -> None:
    """The last test of the file: it ends the job."""
    page.get_by_role("button", name="Cancel").wait_for()
    run.end()
    page.get_by_role("button", name="Resume").wait_for()
    assert "It diverged. Use a smaller rate." in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Log").click()
    page.locator("dialog pre").wait_for()
    assert "failed" in page.locator("dialog pre").inner_text()
    page.get_by_role("button", name="Close").click()
    page.locator("dialog").wait_for(state="detached")


def test_a_table_that_a_job_made_is_taken_along(page: Page, engine: Engine, run: Run) -> None:
    table = engine.root / "scores.csv"
    table.write_text("case,dice\n")
    row = run.project.new_job("evaluate", json.dumps({"kind": "evaluate", "output": str(engine.root)}))
    files = {"table": str(table), "report": str(engine.root / "report.html")}
    worth = {"failed": {"a": "It is cut."}, "left_out": {"b": "It was proposed."}, "accepted": ["c", "d"]}
    result = {"kind": "evaluate", "model_id": None, "cases": 1, "segments": [], **files, **worth}
    (row.folder / RESULT_FILE).write_text(json.dumps(result))
    run.project.set_job_state(row.id, "finished")
    page.locator(".jobs button", has_text="Evaluation").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="scores.csv").click()
    assert started.value.path().read_text() == "case,dice\n"
    assert page.locator(".detail summary").all_text_contents() == ["1 could not be done", "1 left out"]
    accepted = page.locator(".facts div", has_text="references accepted as proposed").locator("dd")
    assert accepted.inner_text() == "2"
