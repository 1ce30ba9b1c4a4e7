"""What was sent to an engine elsewhere is taken back when the engine refuses what it was sent for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
from medssl.client import Client, EngineError, Project
from MedSSLLib import apply_files
from MedSSLLib.grids import Grid
from MedSSLLib.journeys import Errand
from MedSSLLib.volumes import add_volume, snapshot_volume
from MedSSLLib.voxel_files import read_volume, write_nrrd
from panels import OpenPanel

GRID = Grid((12, 10, 8), np.diag([-1.0, -1.0, 2.0, 1.0]))
VOXELS = np.random.default_rng(1).integers(0, 50, GRID.shape).astype(np.int16)
NO_DEVICE = "abacus"  # for which the engine refuses a job


@pytest.fixture
def project(engine: Client, tmp_path: Path) -> Project:
    """An empty project."""
    return engine.create_project("Far away", {1: "Box"}, folder=tmp_path / "project")


def left_there(remote: OpenPanel) -> set[Path]:
    """What clients have sent to the engine and nobody has removed."""
    client = remote.session.client
    mine = client.make_folder()
    client.remove_upload(mine.id)
    return set(Path(mine.path).parent.iterdir())


def scan_file(tmp_path: Path) -> Path:
    write_nrrd(tmp_path / "scans" / "first.nrrd", VOXELS, GRID)
    return tmp_path / "scans" / "first.nrrd"


@pytest.mark.parametrize("chosen", ["folder", "file"])
def test_scans_of_a_job_that_is_refused_do_not_stay_there(
    remote: OpenPanel, tmp_path: Path, chosen: str
) -> None:
    scan, before = scan_file(tmp_path), left_there(remote)
    refused: list[Exception] = []
    remote.session.journeys.submit(
        Errand(
            {"kind": "predict", "device": NO_DEVICE},
            reads="inputs",
            source=str(scan.parent if chosen == "folder" else scan),
            target=str(tmp_path / "results"),
        ),
        lambda track: pytest.fail("The job was taken."),
        refused.append,
    )
    remote.wait_until(lambda: refused, 60.0)
    assert isinstance(refused[0], EngineError)
    assert refused[0].code == "request"
    assert left_there(remote) == before


def test_a_volume_of_the_scene_that_is_refused_does_not_stay_there(remote: OpenPanel, tmp_path: Path) -> None:
    before, session = left_there(remote), remote.session
    here = set(Path(slicer.app.temporaryPath).iterdir())
    snapshot = snapshot_volume(add_volume(read_volume(scan_file(tmp_path)), "First"))
    with pytest.raises(EngineError, match="device"):
        apply_files.send_volume(
            session.client, session.files, session.project, snapshot, "latest", NO_DEVICE, wanted=lambda: True
        )
    assert left_there(remote) == before
    assert set(Path(slicer.app.temporaryPath).iterdir()) == here


def test_a_case_whose_name_is_taken_leaves_no_scan_there(remote: OpenPanel, tmp_path: Path) -> None:
    scan, before = scan_file(tmp_path), left_there(remote)
    for _time in range(2):
        remote.find("diskEdit").currentPath = str(scan)
        remote.click("addDiskButton")
        remote.wait_until(
            lambda: remote.session.project.cases == 1 and remote.find("addDiskButton").enabled, 60.0
        )
    remote.wait_until(lambda: "'first'" in remote.message and "was added" not in remote.message)
    assert left_there(remote) == before
