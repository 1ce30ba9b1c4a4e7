"""A real engine service in a process of its own, and files to give it."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import medssl
import numpy as np
import psutil
import requests
from medssl.client import EngineError, start_or_attach
from medssl.client import Project as ProjectRecord
from medssl.endpoint import read_endpoint, read_token
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.project import Project

GRID = Grid(size=(6, 5, 4), spacing_mm=(0.8, 0.9, 2.5), origin_mm=(-12.0, 3.0, 40.5))


class Engine:
    """A running service: its client, its folders, its process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.root = folder / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        # Hidden in a folder that requests may touch, as it is on Linux when nobody says otherwise.
        self.state = self.root / ".local" / "state" / "medssl" / "service"
        self.client = start_or_attach(
            folder=self.state,
            # Short, so that a test run that is killed leaves no service for long.
            arguments=["--root", str(self.root), "--idle-minutes", "10", *arguments],
            environment=environment(),
            start_s=100.0,
        )
        found = read_endpoint(self.state)
        assert found is not None
        self.endpoint = found

    @property
    def url(self) -> str:
        return self.endpoint.url

    @property
    def token(self) -> str:
        return read_token(self.state)

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.endpoint.process_id)

    def request(self, method: str, path: str, **details: object) -> requests.Response:
        """Send a request as it is, with the token unless other headers are given."""
        headers = {"Authorization": f"Bearer {self.token}"}
        options: dict[str, object] = {"headers": headers, "timeout": 60, **details}
        return requests.request(method, self.url + path, **options)  # type: ignore[arg-type]  # of the tests

    def new_project(self) -> ProjectRecord:
        """Make a project with two segments in a folder of its own."""
        folder = self.root / f"project {uuid.uuid4().hex[:8]}"
        return self.client.create_project("Two structures", {1: "Head", 2: "Body"}, folder=folder)

    def end(self) -> None:
        try:
            process = self.process
            self.client.shutdown(force=True)
            process.wait(30)
        except (psutil.Error, EngineError):
            return


def write_scan(path: Path, seed: int = 0, grid: Grid = GRID) -> Path:
    """Write a scan of noise."""
    voxels = np.random.default_rng(seed).integers(-50, 300, grid.shape).astype(np.int16)
    write_volume(path, Volume(voxels, grid))
    return path


def write_drawing(path: Path, grid: Grid = GRID) -> Path:
    """Write a label map with the values 0 and 1."""
    values = np.zeros(grid.shape, dtype=np.uint8)
    values[1:3, 1:3, 2:4] = 1
    write_volume(path, Volume(values, grid))
    return path


def propose(project: Project, case: str, score: float) -> None:
    """Let a made-up model propose something for a case."""
    values = np.zeros(GRID.shape, dtype=np.uint8)
    values[1:3, 1:3, 2:4] = 1
    uncertainty = np.full(GRID.shape, score, dtype=np.float32)
    project.add_pseudo_label(case, values, uncertainty, score=score, model_id="model-1", worst_slice=2)


def environment() -> dict[str, str]:
    """The environment in which a child process finds the engine, installed or not."""
    return {**os.environ, "PYTHONPATH": str(Path(medssl.__file__).parents[1])}
