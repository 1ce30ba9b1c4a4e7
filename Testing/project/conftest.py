"""Small scans, and a project to put them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.project import Project

GRID = Grid(
    size=(5, 4, 3),
    spacing_mm=(0.8, 0.9, 2.5),
    origin_mm=(-12.0, 3.0, 40.5),
    direction=(0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0),
)


@pytest.fixture
def schema() -> LabelSchema:
    return LabelSchema.of_names({1: "Head", 2: "Body"})


@pytest.fixture
def grid() -> Grid:
    return GRID


@pytest.fixture
def make_scan(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a small scan and returns its path."""

    def make(name: str = "scan.nii.gz", on: Grid = GRID) -> Path:
        path = tmp_path / "scans" / name
        voxels = np.random.default_rng(len(name)).integers(-50, 300, on.shape).astype(np.int16)
        write_volume(path, Volume(voxels, on))
        return path

    return make


@pytest.fixture
def drawn() -> np.ndarray:
    """Label values on the grid of the scans, with one slice that nobody looked at."""
    values = np.zeros(GRID.shape, dtype=np.uint8)
    values[0, 1:3] = 1
    values[1, 2:] = 2
    values[2] = 255
    return values


@pytest.fixture
def project(tmp_path: Path, schema: LabelSchema) -> Iterator[Project]:
    with Project.create(tmp_path / "project", schema) as made:
        yield made


@pytest.fixture
def propose(project: Project) -> Callable[..., None]:
    """A function that adds a proposal for a case of the project."""

    def add(case: str, values: np.ndarray, score: float = 0.5, model_id: str = "model-1") -> None:
        uncertainty = np.full(values.shape, score, dtype=np.float32)
        project.add_pseudo_label(case, values, uncertainty, score=score, model_id=model_id, worst_slice=1)

    return add
