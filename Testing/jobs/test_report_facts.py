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
from medssl.learning.model import ModelCard, save_model
from medssl.learning.network import Network
from medssl.learning.plan import NetworkShape, Normalisation, Plan
from medssl.project import Project


@pytest.fixture
def two_channels(tmp_path: Path) -> Project:
    """A project with a model of two channels that has learned nothing."""
    project = Project.create(tmp_path / "brains", LabelSchema.of_names({1: "Tumor"}), ("T1", "FLAIR"))
    shape = NetworkShape(
        channels=2,
        classes=2,
        features=(2, 4),
        strides=((1, 1, 1), (2, 2, 2)),
        kernels=((3, 3, 3), (3, 3, 3)),
        convolutions=(1, 1),
    )
    plan = Plan(
        label_schema=project.schema,
        channel_names=project.channel_names,
        spacing_mm=(1.0, 1.0, 1.0),
        normalisation=(Normalisation(kind="percentile", low=0.5, high=99.5),) * 2,
        patch_size=(16, 16, 16),
        batch_size=2,
        network=shape,
        level_set_mm=(5.0,),
    )
    model_id, folder = project.new_model_folder()
    card = ModelCard(
        id=model_id,
        name="Small",
        method="supervised",
        heads=("segmentation",),
        created="2026-01-01T00:00:00+00:00",
        medssl_version="0",
        annotated_cases=1,
        unannotated_cases=0,
        steps=1,
        seconds=1.0,
        seed=0,
    )
    save_model(folder, Network(shape), plan, card)
    project.register_model(model_id, name="Small", method="supervised")
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


def test_nothing_but_the_first_channel_is_read_to_be_shown(tmp_path: Path) -> None:
    shown = write_scans(tmp_path / "scans") / "a_0000.nii.gz"
    scans = tuple(Scan(path.name, Path("a"), path, None, None) for path in (shown, tmp_path / "gone.nii.gz"))
    assert Source(Path("a"), scans).read_first().array.shape == (16, 16, 16)
