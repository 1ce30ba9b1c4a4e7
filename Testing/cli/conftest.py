"""A project of small made-up scans, and the command line in this process and in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from medssl.cli.app import run
from medssl.events import Monitor
from medssl.exchange.datasets import read_dataset
from medssl.jobs import ImportRequest, run_job
from medssl.project import Project

_BACKEND = Path(__file__).parents[2] / "backend"

Answer: TypeAlias = tuple[int, str, str]
Start: TypeAlias = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def project_folder(tmp_path: Path, small_dataset: Path) -> Path:
    """Six cases for training, one of them annotated."""
    dataset = read_dataset(small_dataset)
    folder = tmp_path / "a project"
    with Project.create(folder, dataset.schema, dataset.channel_names) as project:
        run_job(project, ImportRequest(folder=small_dataset, annotated=1), Monitor())
    return folder


@pytest.fixture
def medssl(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> Answer:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def start_medssl() -> Iterator[Start]:
    """Start a command in its own process, after lines of Python; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, before: str = "") -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(_BACKEND)}
        program = f"{before}\nfrom medssl.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def job_that_trains() -> Callable[[Path], str]:
    """Wait until a job of the project takes training steps; its id."""

    def wait(folder: Path) -> str:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            for events in (folder / "jobs").glob("*/events.jsonl"):
                if any(_is_training(line) for line in events.read_text(encoding="utf-8").splitlines()):
                    return events.parent.name
            time.sleep(0.1)
        raise AssertionError("no training began in time")

    return wait


def _is_training(line: str) -> bool:
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return False
    steps = event.get("kind") == "progress" and event.get("done", 0) > 0
    return event.get("kind") == "metric" or (steps and str(event.get("stage")).endswith(": Training"))
