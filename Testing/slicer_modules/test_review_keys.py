"""The keys that decide about proposals: when they work, and what they leave to the Segment Editor."""

from __future__ import annotations

from pathlib import Path

import desks
import numpy as np
import pytest
import slicer
from learning import project_with_proposals
from medssl.client import Client, Project
from panels import OpenPanel
from reviewing import NAMES, open_queue, review, wait_for


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """Three proposals, the one for small_3 the most uncertain."""
    return project_with_proposals(engine, small_dataset, *NAMES)


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    """The panel with the first case of the queue on the screen."""
    return open_queue(panel, project)


def press(keys: str) -> None:
    """Press keys in the main window."""
    from PySide6 import QtGui, QtTest

    window = slicer.util.mainWindow()
    window.show()
    window.activateWindow()
    QtTest.QTest.qWaitForWindowActive(window)
    sequence = QtGui.QKeySequence(keys)[0]
    QtTest.QTest.keyClick(window, sequence.key(), sequence.keyboardModifiers())


def test_keys_decide_while_the_panel_is_open_and_only_then(opened: OpenPanel, project: Project) -> None:
    client = opened.session.client
    slicer.util.selectModule("")
    press("A")
    press("R")
    opened.wait_until(lambda: not review(opened).desk.busy)
    assert client.case(project.key, "small_3").state == "proposed"
    slicer.util.selectModule("MedSSLSegment")
    press("A")
    wait_for(opened, "small_2")
    press("N")
    wait_for(opened, "small_4")
    press("R")
    wait_for(opened, "small_2")
    assert client.case(project.key, "small_4").state == "rejected"
    press("Ctrl+Z")
    wait_for(opened, "small_4")
    assert client.case(project.key, "small_4").state == "proposed"


def test_a_rejection_by_a_mistaken_key_is_told_and_taken_back(opened: OpenPanel, project: Project) -> None:
    press("R")
    wait_for(opened, "small_2")
    assert opened.message == "small_3 is rejected; Undo takes that back."
    press("Ctrl+Z")
    wait_for(opened, "small_3")
    assert opened.session.client.case(project.key, "small_3").state == "proposed"
    assert "The rejection of small_3 is taken back" in opened.message


def keyed(panel: OpenPanel) -> list[str]:
    """The decisions that name a key."""
    buttons = ("acceptButton", "rejectButton", "nextButton")
    return [panel.find(name).text for name in buttons if panel.find(name).text.endswith(")")]


def test_no_key_decides_while_the_editor_is_open(opened: OpenPanel, project: Project) -> None:
    client = opened.session.client
    opened.click("acceptButton")
    wait_for(opened, "small_2")
    opened.click("correctButton")
    assert keyed(opened) == []
    for keys in ("A", "R", "N", "Ctrl+Z"):
        press(keys)
        assert not review(opened).desk.busy
    assert review(opened).desk.case.name == "small_2"
    assert [client.case(project.key, name).state for name in NAMES] == ["annotated", "proposed", "proposed"]
    opened.click("correctButton")
    assert keyed(opened) == ["Accept (A)", "Reject (R)", "Next (N)"]
    press("Ctrl+Z")
    wait_for(opened, "small_3")
    assert client.case(project.key, "small_3").state == "proposed"


def test_while_another_section_draws_undo_is_the_editors_own_every_time(
    opened: OpenPanel, project: Project
) -> None:
    client = opened.session.client
    opened.click("acceptButton")
    wait_for(opened, "small_2")
    annotate = desks.show(opened, "annotate", "small_5")
    editor = opened.session.editor.widget
    scan = slicer.util.arrayFromVolume(annotate.desk.scene.volume)
    for percent in (90, 50):
        editor.setActiveEffectByName("Threshold")
        effect = editor.activeEffect()
        effect.setParameter("MinimumThreshold", float(np.percentile(scan, percent)))
        effect.setParameter("MaximumThreshold", float(scan.max()))
        effect.self().onApply()

    def drawn() -> int:
        scene = annotate.desk.scene
        values = slicer.util.arrayFromSegmentBinaryLabelmap(
            scene.segmentation, editor.currentSegmentID(), scene.volume
        )
        return 0 if values is None else int(values.sum())

    amounts = [drawn()]
    for keys in ("Ctrl+Z", "Ctrl+Z", "A", "N"):
        press(keys)
        amounts.append(drawn())
    assert amounts[0] > amounts[1] > amounts[2] == 0
    assert client.case(project.key, "small_3").state == "annotated"
    assert annotate.desk.case.name == "small_5"
