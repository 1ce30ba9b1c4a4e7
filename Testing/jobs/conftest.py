"""A project of small made-up scans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from medssl.events import Monitor
from medssl.exchange.datasets import read_dataset
from medssl.jobs import ImportRequest, run_job
from medssl.project import Project


@pytest.fixture
def project(tmp_path: Path, small_dataset: Path) -> Iterator[Project]:
    """Four cases for training, one of them annotated, and two annotated ones for validation."""
    dataset = read_dataset(small_dataset)
    with Project.create(tmp_path / "a project", dataset.schema, dataset.channel_names) as made:
        run_job(made, ImportRequest(dataset=small_dataset, annotated=1, validation=2), Monitor())
        yield made
