"""A case with several images for one scan: which of them is seen, and drawn on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from learning import propose
from medssl.client import Project
from MedSSLLib.grids import Grid
from MedSSLLib.voxel_files import write_nrrd
from panels import OpenPanel

GRID = Grid((20, 24, 16), np.diag([-1.5, -1.5, 3.0, 1.0]))


@pytest.fixture
def opened(panel: OpenPanel, tmp_path: Path) -> OpenPanel:
    """A panel with a project of two channels and two cases, both with a proposal."""
    panel.ready()
    client = panel.session.client
    project = client.create_project(
        "Brains", {1: "Tumor", 2: "Core"}, folder=tmp_path / "project", channel_names=["T1", "FLAIR"]
    )
    for case in ("one", "two"):
        for value, channel in enumerate(("T1", "FLAIR"), start=1):
            voxels = np.full(GRID.shape, 100 * value, np.int16)
            voxels[3:9] += 50
            write_nrrd(tmp_path / f"{case} {channel}.nrrd", voxels, GRID)
        client.add_case(project.key, case, [tmp_path / f"{case} T1.nrrd", tmp_path / f"{case} FLAIR.nrrd"])
    propose(project, "one", "two")
    panel.session.set_project(client.project(project.key))
    return panel


def open_in(panel: OpenPanel, section: str, case: str) -> Any:
    """Open a case in a section; returns its scene."""
    project: Project = panel.session.project
    logic = panel.widget.panel.views[section].logic
    panel.widget.panel.open(section)
    logic.open(panel.session.client.case(project.key, case).id)
    panel.wait_until(lambda: logic.desk.case is not None and logic.desk.case.name == case, 60)
    return logic.desk.scene


def seen() -> set[str]:
    """Names of the volumes that the slice views show."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return {slicer.mrmlScene.GetNodeByID(node.GetBackgroundVolumeID()).GetName() for node in nodes}


@pytest.mark.parametrize("section", ["annotate", "review"])
def test_the_channel_that_is_chosen_is_seen_and_stays_chosen_for_the_next_case(
    opened: OpenPanel, section: str
) -> None:
    scene = open_in(opened, section, "one")
    assert opened.shows(f"{section}ChannelFrame")
    assert seen() == {"one T1"}
    opened.find(f"{section}ChannelBox").currentIndex = 1
    assert seen() == {"one FLAIR"}
    if section == "review":
        opened.find("heatMapSlider").value = 30
        assert seen() == {"one FLAIR"}
        opened.click("correctButton")
    assert opened.session.editor.widget.sourceVolumeNode() is scene.volumes[1]
    open_in(opened, section, "two")
    assert seen() == {"two FLAIR"}


def test_a_case_is_saved_whatever_channel_is_seen(opened: OpenPanel) -> None:
    scene = open_in(opened, "annotate", "one")
    opened.find("annotateChannelBox").currentIndex = 1
    drawn = np.ones(GRID.shape, np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, scene.segmentation, "Segment_1", scene.volume)
    opened.click("saveAnnotationButton")
    client, key = opened.session.client, opened.session.project.key
    opened.wait_until(lambda: client.case(key, "one").annotation is not None)


def test_a_case_with_one_channel_has_no_list_of_channels(opened: OpenPanel, tmp_path: Path) -> None:
    client = opened.session.client
    project = client.create_project("Boxes", {1: "Box"}, folder=tmp_path / "other")
    client.add_case(project.key, "one", [tmp_path / "one T1.nrrd"])
    opened.session.set_project(client.project(project.key))
    open_in(opened, "annotate", "one")
    assert not opened.shows("annotateChannelFrame")
    assert seen() == {"one"}
