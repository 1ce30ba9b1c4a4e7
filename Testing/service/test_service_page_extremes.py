"""The web page where there is nothing, very much, or very long; and where the engine turns away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from medssl.client import Project as ProjectRecord
from medssl.project import Project as OpenProject
from medssl.service.token import TokenFile
from service_engine import Engine, write_scan

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_JOBS = 60
_LONG_NAME = "腎臓 Segmentierung der Nieren in kontrastverstärkten Aufnahmen " * 4
_LONG_ERROR = "The process ended: " + "x" * 2000


@pytest.fixture(scope="module")
def full(engine: Engine) -> ProjectRecord:
    """A project with a very long name, a case with one too, and 60 jobs of which one failed at length."""
    project = engine.client.create_project(_LONG_NAME[:250], {1: "Kidney"}, folder=engine.root / "full")
    with OpenProject.open(Path(project.folder)) as opened:
        opened.add_case("ω" * 100, [write_scan(engine.root / "scan.nii.gz")])
        for number in range(_JOBS):
            request = {"kind": "export_model", "output": str(engine.root / f"model {number}.zip")}
            row = opened.new_job("export_model", json.dumps(request))
            opened.set_job_state(row.id, "running")
            failed = number == _JOBS - 1
            opened.set_job_state(
                row.id, "failed" if failed else "finished", error=_LONG_ERROR * failed, remedy="Try." * failed
            )
    return project


@pytest.fixture
def page(browser: Browser, engine: Engine, full: ProjectRecord) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(30_000)
    opened.goto(f"{engine.url}/#token={engine.token}")
    opened.locator("#project").select_option(full.key)
    opened.locator(".jobs li", has_text="model 59.zip").wait_for()
    yield opened
    opened.close()


def _wait_for_height(page: Page, selector: str, most: int) -> None:
    """Wait until an element shows and is lower than `most`; the page may draw it anew at any moment."""
    page.wait_for_function(
        """([selector, most]) => {
            const height = document.querySelector(selector)?.getBoundingClientRect().height ?? 0;
            return height > 0 && height < most;
        }""",
        arg=[selector, most],
    )


@pytest.mark.parametrize("width", [400, 1280])
def test_long_names_and_errors_stay_on_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for part, row in (("Jobs", ".jobs li"), ("Cases", "tbody th"), ("Models", ".empty"), ("Computer", "dl")):
        page.get_by_role("link", name=part).click()
        page.locator(row).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, part
        _wait_for_height(page, "header", 200)
        if part == "Cases":
            _wait_for_height(page, "tbody th", 130)


def test_a_long_error_is_cut_until_somebody_wants_all_of_it(page: Page) -> None:
    told = page.get_by_role("alert")
    told.locator("b").wait_for()
    _wait_for_height(page, "[role=alert]", 250)
    assert told.locator("b").inner_text().startswith("The process ended: x")
    assert "Try." in told.inner_text()
    told.locator("summary").click()
    assert told.locator("pre").inner_text() == _LONG_ERROR


def test_jobs_that_do_not_fit_are_on_the_next_page_and_the_list_stays_beside_the_job(page: Page) -> None:
    assert page.locator(".pages output").inner_text() == "1 to 50 of 60"
    page.locator(".jobs button", has_text="model 12.zip").click()
    page.locator("h2 small", has_text="model 12.zip").wait_for()
    assert page.evaluate("document.querySelector('.detail h2').getBoundingClientRect().top") > 0
    page.get_by_role("button", name="Older").click()
    page.locator(".jobs button", has_text="model 0.zip").click()
    page.locator("h2 small", has_text="model 0.zip").wait_for()
    assert page.locator(".jobs li").count() == 10
    page.get_by_role("button", name="Newer").click()
    page.get_by_text("1 to 50 of 60").wait_for()


def test_the_list_leaves_the_keyboard_where_it_is_when_it_is_drawn_anew(page: Page) -> None:
    page.locator(".jobs button").nth(3).focus()
    page.evaluate("document.activeElement.dataset.seen = 'before'")
    page.wait_for_function("() => !document.querySelector('[data-seen]')")
    assert "model 56.zip" in str(page.evaluate("document.activeElement.textContent"))


def test_an_empty_project_says_how_it_fills(browser: Browser, engine: Engine) -> None:
    empty = engine.new_project()
    opened = browser.new_page()
    opened.set_default_timeout(30_000)
    try:
        opened.goto(f"{engine.url}/#token={engine.token}")
        opened.locator("#project").select_option(empty.key)
        opened.get_by_text("No jobs yet.").wait_for()
        opened.get_by_role("link", name="Cases").click()
        opened.get_by_text("No cases yet.").wait_for()
        opened.get_by_role("link", name="Models").click()
        opened.get_by_text("No models yet.").wait_for()
    finally:
        opened.close()
        engine.client.forget_project(empty.key)


def test_a_new_token_is_asked_for_and_an_engine_that_is_gone_is_told(
    browser: Browser, start_engine: Callable[..., Engine]
) -> None:
    own = start_engine()
    opened = browser.new_page()
    opened.set_default_timeout(30_000)
    try:
        opened.clock.install()
        opened.goto(f"{own.url}/#token={own.token}")
        opened.get_by_text("None was opened with this engine yet.").wait_for()
        TokenFile(own.state).renew()
        opened.clock.run_for(11_000)
        opened.get_by_label("Token").fill(own.token)
        opened.get_by_role("button", name="Connect").click()
        opened.get_by_text("None was opened with this engine yet.").wait_for()
        own.process.kill()
        opened.clock.run_for(11_000)
        opened.get_by_text("The engine does not answer").wait_for()
    finally:
        opened.close()
