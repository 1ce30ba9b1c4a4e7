"""With an engine on another computer, scans and drawings are sent, and nothing is left behind here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from medssl.client import Client, Project
from MedSSLLib.grids import Grid
from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import read_volume, write_nrrd
from panels import OpenPanel

GRID = Grid((12, 10, 8), np.diag([-1.0, -1.0, 2.0, 1.0]))
VOXELS = np.random.default_rng(1).integers(0, 50, GRID.shape).astype(np.int16)


@pytest.fixture
def project(engine: Client, tmp_path: Path) -> Project:
    """An empty project."""
    return engine.create_project("Far away", {1: "Box"}, folder=tmp_path / "project")


def _files_here() -> set[Path]:
    return set(Path(slicer.app.temporaryPath).glob("MedSSL-*"))


def test_a_scan_is_sent_annotated_here_and_the_drawing_sent_back(remote: OpenPanel, tmp_path: Path) -> None:
    before = _files_here()
    write_nrrd(tmp_path / "elsewhere" / "scan.nrrd", VOXELS, GRID)
    node = add_volume(read_volume(tmp_path / "elsewhere" / "scan.nrrd"), "Scan")
    remote.find("channelCombo0").setCurrentNode(node)
    remote.click("addSceneButton")
    remote.wait_until(lambda: remote.session.project.cases == 1)
    client, project = remote.session.client, remote.session.project
    case = client.case(project.key, "Scan")
    assert Path(case.channels[0]).is_relative_to(project.folder)

    logic = remote.widget.panel.views["annotate"].logic
    logic.open(case.id)
    remote.wait_until(lambda: logic.desk.case is not None)
    assert np.array_equal(slicer.util.arrayFromVolume(logic.desk.scene.volume), VOXELS)
    drawn = (VOXELS > 25).astype(np.uint8)
    scene = logic.desk.scene
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, scene.segmentation, "Segment_1", scene.volume)
    logic.save()
    remote.wait_until(lambda: not logic.desk.busy)
    annotation = client.case(project.key, case.id).annotation
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(annotation.path)), drawn)
    assert _files_here() == before


def test_a_folder_is_sent_scan_by_scan(remote: OpenPanel, tmp_path: Path) -> None:
    before = _files_here()
    for number in range(2):
        write_nrrd(tmp_path / "scans" / f"subject {number}.nrrd", VOXELS, GRID)
    remote.find("diskEdit").currentPath = str(tmp_path / "scans")
    remote.click("addDiskButton")
    remote.wait_until(lambda: remote.session.project.cases == 2)
    assert _files_here() == before


def test_what_the_engine_notes_about_scans_of_a_folder_is_told_by_their_names(
    remote: OpenPanel, tmp_path: Path
) -> None:
    voxels = VOXELS.astype(np.float32)
    voxels[0, 0] = np.nan
    for number in range(4):
        write_nrrd(tmp_path / "scans" / f"subject {number}.nrrd", voxels, GRID)
    remote.find("diskEdit").currentPath = str(tmp_path / "scans")
    remote.click("addDiskButton")
    remote.wait_until(lambda: "4 scans were added." in remote.message)
    assert all(f"subject {number}" in remote.message for number in range(3))
    assert remote.message.endswith("... and 1 more")
    assert "not finite numbers" in remote.message
    assert ".nrrd" not in remote.message


def test_a_damaged_scan_of_a_folder_is_told_and_stops_no_other(remote: OpenPanel, tmp_path: Path) -> None:
    for name in ("a/scan.nrrd", "b/scan.nrrd"):
        write_nrrd(tmp_path / "scans" / name, VOXELS, GRID)
    (tmp_path / "scans" / "a" / "broken.nii.gz").write_text("no scan", encoding="utf-8")
    remote.find("diskEdit").currentPath = str(tmp_path / "scans")
    remote.click("addDiskButton")
    remote.wait_until(lambda: "2 of 3 scans were added. a/broken: " in remote.message)
    client, project = remote.session.client, remote.session.project
    assert [case.name for case in client.cases(project.key).cases] == ["a/scan", "b/scan"]


def test_a_label_map_beside_the_scans_of_a_folder_becomes_no_case(remote: OpenPanel, tmp_path: Path) -> None:
    write_nrrd(tmp_path / "scans" / "patient1.nrrd", VOXELS, GRID)
    write_nrrd(tmp_path / "scans" / "patient1-seg.nrrd", (VOXELS > 40).astype(np.uint8), GRID)
    remote.find("diskEdit").currentPath = str(tmp_path / "scans")
    remote.click("addDiskButton")
    remote.wait_until(lambda: "1 of 2" in remote.message, 60.0)
    assert "holds labels" in remote.message
    (case,) = remote.session.client.cases(remote.session.project.key).cases
    assert case.name == "patient1"


def test_the_other_computer_chooses_the_folder_of_a_new_project(remote: OpenPanel) -> None:
    remote.click("newButton")
    assert not remote.shows("projectFolderEdit")
    remote.find("projectNameEdit").text = "Chosen there"
    remote.click("createButton")
    remote.wait_until(lambda: remote.session.project.name == "Chosen there")


def test_the_projects_of_the_other_computer_are_offered_to_be_opened(remote: OpenPanel) -> None:
    first = remote.session.project
    other = remote.session.client.create_project(
        "Other", {1: "Box"}, folder=Path(first.folder).parent / "folder" / "other"
    )
    remote.session.set_project(None)
    remote.click("openButton")
    assert not remote.shows("openFolderEdit")
    combo = remote.find("openThereCombo")
    remote.wait_until(lambda: combo.findText(other.folder) >= 0)
    assert combo.findText(first.folder) >= 0
    combo.currentIndex = combo.findText(other.folder)
    remote.click("openFolderButton")
    remote.wait_until(lambda: remote.session.project is not None and remote.session.project.name == "Other")
