"""What the report of a folder says of the scans: where they came from, and which channel is shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from medssl.events import Monitor
from medssl.imaging.scans import Scan
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.inference.source import Source
from medssl.jobs import PredictRequest, PredictResult, run_job
from medssl.labels import LabelSchema
from medssl.project import Project
from small_models import add_untrained_model


@pytest.fixture
def two_channels(tmp_path: Path) -> Project:
    """A project with a model of two channels that has learned nothing."""
    project = Project.create(tmp_path / "brains", LabelSchema.of_names({1: "Tumor"}), ("T1", "FLAIR"))
    add_untrained_model(project)
    return project


def write_scans(folder: Path) -> Path:
    """Write a scan of two channels."""
    folder.mkdir()
    for channel in range(2):
        voxels = np.random.default_rng(channel).normal(100, 10, (16, 16, 16)).astype(np.float32)
        write_volume(
            folder / f"a_{channel:04d}.nii.gz", Volume(voxels, Grid(size=(16, 16, 16), spacing_mm=(1, 1, 1)))
        )
    return folder


def test_the_report_names_every_folder_and_the_channel_that_is_shown(
    two_channels: Project, tmp_path: Path
) -> None:
    folders = (write_scans(tmp_path / "first"), write_scans(tmp_path / "second"))
    with two_channels as project:
        done = run_job(
            project, PredictRequest(inputs=folders, output=tmp_path / "out", device="cpu"), Monitor()
        )
    assert isinstance(done.result, PredictResult)
    told = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["settings"]
    assert told["Scans from"] == f"{folders[0]}, {folders[1]}"
    assert told["Pictures show"] == "T1, the first of 2 channels"


def test_what_failed_is_told_without_the_folders_around_it(two_channels: Project, tmp_path: Path) -> None:
    folder = write_scans(tmp_path / "Doe, Jane")
    for channel in range(2):
        (folder / f"b_{channel:04d}.nii.gz").write_bytes(b"no image")
    request = PredictRequest(inputs=(folder,), output=tmp_path / "out", device="cpu", recursive=False)
    run_job(two_channels, request, Monitor())
    (problem,) = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["problems"]
    assert problem["reason"].startswith("b_0000.nii.gz is damaged")


def test_nothing_but_the_first_channel_is_read_to_be_shown(tmp_path: Path) -> None:
    shown = write_scans(tmp_path / "scans") / "a_0000.nii.gz"
    scans = tuple(Scan(path.name, Path("a"), path, None, None) for path in (shown, tmp_path / "gone.nii.gz"))
    assert Source(Path("a"), scans).read_first().array.shape == (16, 16, 16)
