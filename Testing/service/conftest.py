"""A service for the tests of a file, or for one test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from medssl.client import Client
from service_engine import Engine

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One service for the tests of a file."""
    started = Engine(tmp_path_factory.mktemp("service"))
    yield started
    started.end()


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """A function that starts a service of the test's own; it ends with the test."""
    started: list[Engine] = []

    def start(*arguments: str, folder: Path = tmp_path) -> Engine:
        started.append(Engine(folder, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def client(engine: Engine) -> Client:
    return engine.client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this computer: install it, or set CHROMIUM to its path")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
