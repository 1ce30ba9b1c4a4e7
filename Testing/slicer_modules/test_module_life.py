"""What a module shares with all of 3D Slicer: keys, views, and itself when it is reloaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import qt
import slicer


@pytest.fixture
def drawn(runtime: Any) -> tuple[Any, Any]:
    """A scan and a segmentation on it."""
    scan = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="Scan")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    segmentation.GetSegmentation().AddEmptySegment("inside", "inside")
    return segmentation, scan


@pytest.fixture
def place(runtime: Any) -> Iterator[Any]:
    """Where a section has the editor: the layout of a frame."""
    frame = qt.QFrame()
    yield qt.QVBoxLayout(frame)
    frame.hide()


@pytest.fixture
def editor(place: Any) -> Iterator[Any]:
    """The editor that the sections share."""
    from MedSSLLib.editor import SegmentEditor

    editor = SegmentEditor()
    editor.enter()
    yield editor
    editor.close()


def keys() -> list[str]:
    """The keys that someone took in the main window."""
    shortcuts = slicer.util.mainWindow().findChildren(qt.QShortcut)
    return [each.key.toString() for each in shortcuts if each.enabled]


def test_an_editor_that_no_section_has_leaves_its_keys_to_others(editor: Any, place: Any, drawn: Any) -> None:
    editor.take("annotate", place, *drawn)
    assert "Ctrl+Z" in keys()
    editor.release()
    assert "Ctrl+Z" not in keys()


def test_who_begins_to_draw_has_a_segment_to_draw(editor: Any, place: Any, drawn: Any) -> None:
    segmentation, scan = drawn
    segmentation.GetSegmentation().RemoveAllSegments()
    editor.widget.setSegmentationNode(segmentation)  # as Slicer's own list of segmentations may do
    segmentation.GetSegmentation().AddEmptySegment("first", "first")
    editor.take("annotate", place, segmentation, scan)
    assert editor.widget.currentSegmentID() == "first"


def test_the_editor_leaves_the_views_as_the_person_has_them(editor: Any, place: Any, drawn: Any) -> None:
    other = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="Other scan")
    slicer.util.setSliceViewerLayers(background=other)
    editor.take("annotate", place, *drawn)
    views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    assert {view.GetBackgroundVolumeID() for view in views} == {other.GetID()}


def test_a_folder_of_scans_is_chosen_with_a_button_of_its_own(
    panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("MedSSLLib.asking.folder", lambda title, start: "/scans of a week")
    panel.click("diskFolderButton")
    assert panel.find("diskEdit").currentPath == "/scans of a week"


def test_a_reloaded_panel_finds_the_engine_again(panel: Any) -> None:
    panel.ready()
    before = panel.session
    slicer.modules.MedSSLSegmentWidget.onReload()
    reloaded = slicer.modules.MedSSLSegmentWidget
    assert reloaded.session is not before
    panel.wait_until(lambda: reloaded.session.client is not None, 60)
    # The session of before asks nothing any more.
    assert not before.engine._timer.active
    assert not before.jobs._timer.active


def test_reports_of_an_engine_elsewhere_do_not_gather_in_slicers_folder(runtime: Any, tmp_path: Path) -> None:
    from MedSSLLib.apply_folder_logic import FolderLogic
    from MedSSLLib.engine_files import EngineFiles
    from MedSSLLib.signals import Signal

    job = SimpleNamespace(
        id="1", kind="predict", request={"output": "/there"}, result={"report": "/there/r.html"}
    )
    client = SimpleNamespace(download=lambda path, target: target.write_text(path) and target)
    session: Any = SimpleNamespace(
        jobs=SimpleNamespace(told=Signal(), listed=Signal(), tracks=(SimpleNamespace(job=job, over=True),)),
        journeys=SimpleNamespace(arrived=Signal(), of=lambda job: None),
        files=EngineFiles(False, tmp_path),
        ask=lambda work, done: done(work(client)),
    )
    folder = FolderLogic(session)
    folder.open_report()
    folder.open_report()
    assert [path.name for path in tmp_path.rglob("*.html")] == ["r.html"]
