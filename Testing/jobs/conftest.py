"""A project of small made-up scans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from medssl.events import Monitor
from medssl.exchange.datasets import read_dataset
from medssl.jobs import ImportRequest, run_job
from medssl.jobs.launching import WORKER
from medssl.processes import end_tree
from medssl.project import Project


@pytest.fixture
def project(tmp_path: Path, small_dataset: Path) -> Iterator[Project]:
    """Four cases for training, one of them annotated, and two annotated ones for validation."""
    dataset = read_dataset(small_dataset)
    with Project.create(tmp_path / "a project", dataset.schema, dataset.channel_names) as made:
        run_job(made, ImportRequest(folder=small_dataset, annotated=1, validation=2), Monitor())
        yield made


@pytest.fixture(autouse=True)
def _no_worker_stays(tmp_path: Path) -> Iterator[None]:
    """Workers outlive who started them; one of a test that failed must not run on."""
    yield
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if WORKER in command and any(part.startswith(str(tmp_path)) for part in command):
            end_tree(process)
