"""A project of small made-up scans."""

from __future__ import annotations

import json
import os
import shutil
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

_MANY = 600  # cases: their import takes much longer than anything that looks at it


@pytest.fixture
def project(tmp_path: Path, small_dataset: Path) -> Iterator[Project]:
    """Four cases for training, one of them annotated, and two annotated ones for validation."""
    dataset = read_dataset(small_dataset)
    with Project.create(tmp_path / "a project", dataset.schema, dataset.channel_names) as made:
        run_job(made, ImportRequest(folder=small_dataset, annotated=1, validation=2), Monitor())
        yield made


@pytest.fixture(scope="session")
def large_dataset(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many scans, which are all one file."""
    folder = tmp_path_factory.mktemp("large dataset")
    shutil.copytree(small_dataset / "imagesTr", folder / "imagesTr")
    first = next((folder / "imagesTr").iterdir())
    names = [f"./imagesTr/case_{number}.nii.gz" for number in range(_MANY)]
    for name in names:
        os.link(first, folder / name)
    content = json.loads((small_dataset / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**content, "training": [], "test": names}))
    return folder


@pytest.fixture(autouse=True)
def _no_worker_stays(tmp_path: Path) -> Iterator[None]:
    """Workers outlive who started them; one of a test that failed must not run on."""
    yield
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if WORKER in command and any(part.startswith(str(tmp_path)) for part in command):
            end_tree(process)
