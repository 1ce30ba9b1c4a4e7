"""A service for the tests of a file, or for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from medssl.client import Client
from service_engine import Engine


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
