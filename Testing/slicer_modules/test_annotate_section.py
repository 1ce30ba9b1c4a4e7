"""The section Annotate, by its buttons and with real effects of the Segment Editor, and a real engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from medssl.client import Annotation, EngineError
from MedSSLLib import asking
from MedSSLLib.grids import Grid
from MedSSLLib.slice_marks import marks_of
from MedSSLLib.voxel_files import write_nrrd
from panels import OpenPanel

GRID = Grid((24, 20, 12), np.diag([-1.5, -1.5, 3.0, 1.0]))
SHAPE = GRID.shape
BRIGHT = np.zeros(SHAPE, bool)
BRIGHT[3:9, 5:15, 6:18] = True


def _write_scan(path: Path) -> Path:
    write_nrrd(path, np.where(BRIGHT, 100, 10).astype(np.int16), GRID)
    return path


@pytest.fixture
def opened(panel: OpenPanel, tmp_path: Path) -> OpenPanel:
    """A panel with a project of two scans, none annotated, and the section open."""
    panel.ready()
    client = panel.session.client
    project = client.create_project("Boxes", {1: "Box", 2: "Rest"}, folder=tmp_path / "Kästen")
    for name in ("one", "two"):
        client.add_case(project.key, name, [_write_scan(tmp_path / f"{name}.nrrd")])
    panel.session.set_project(client.project(project.key))
    panel.widget.panel.open("annotate")
    return panel


def _logic(panel: OpenPanel) -> Any:
    return panel.widget.panel.views["annotate"].logic


def _open_next(panel: OpenPanel) -> str:
    panel.wait_until(lambda: panel.find("nextCaseButton").enabled)
    panel.click("nextCaseButton")
    panel.wait_until(lambda: _logic(panel).desk.case is not None)
    return _logic(panel).desk.case.name


def _draw(panel: OpenPanel, low: float = 50, high: float = 200) -> None:
    editor = panel.session.editor.widget
    editor.setActiveEffectByName("Threshold")
    effect = editor.activeEffect()
    effect.setParameter("MinimumThreshold", low)
    effect.setParameter("MaximumThreshold", high)
    effect.self().onApply()


def _versions(panel: OpenPanel, name: str) -> tuple[Annotation, ...]:
    client, key = panel.session.client, panel.session.project.key
    return client.annotations(key, client.case(key, name).id)


def _saved(panel: OpenPanel, name: str) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(_versions(panel, name)[-1].path))


def _save(panel: OpenPanel, name: str, version: int) -> None:
    panel.click("saveAnnotationButton")
    panel.wait_until(lambda: len(_versions(panel, name)) == version)
    panel.wait_until(lambda: not _logic(panel).desk.busy)


def test_the_suggested_case_is_opened_drawn_on_and_saved(opened: OpenPanel) -> None:
    opened.wait_until(lambda: opened.find("nextCaseButton").enabled)
    assert opened.find("suggestionLabel").text
    name = _open_next(opened)
    assert opened.shows("annotateEditorFrame")
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == _logic(opened).desk.scene.volume.GetID()
    _draw(opened)
    assert "not saved yet" in opened.find("annotatedLabel").text
    _save(opened, name, 1)
    assert np.array_equal(_saved(opened, name), BRIGHT.astype(np.uint8))
    assert "not saved yet" not in opened.find("annotatedLabel").text
    assert "saved, as version 1" in opened.message
    assert not list((Path(opened.session.project.folder) / "cache").glob("from-slicer/*"))
    annotation = _versions(opened, name)[0]
    assert annotation.author
    assert annotation.seconds > 0


def test_undo_of_the_editor_takes_a_stroke_back_before_it_is_saved(opened: OpenPanel) -> None:
    name = _open_next(opened)
    _draw(opened)
    _draw(opened, 0, 50)
    opened.session.editor.widget.undo()
    _save(opened, name, 1)
    assert np.array_equal(_saved(opened, name), BRIGHT.astype(np.uint8))


def test_slices_that_are_not_done_are_saved_as_not_annotated_and_come_back(opened: OpenPanel) -> None:
    name = _open_next(opened)
    _draw(opened)
    opened.find("partlyBox").checked = True
    opened.click("saveAnnotationButton")
    assert "No slice is marked as done" in opened.message
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    red.JumpSliceByCentering(0, 0, 3.0 * 4)
    assert "slice 5 of 12" in opened.find("sliceLabel").text
    opened.click("sliceDoneButton")
    red.JumpSliceByCentering(0, 0, 3.0 * 5)
    opened.click("sliceDoneButton")
    assert "2 of 12 slices are done: 5-6" in opened.find("doneLabel").text
    _save(opened, name, 1)
    expected = np.full(SHAPE, 255, np.uint8)
    expected[4:6] = BRIGHT[4:6]
    expected[BRIGHT] = 1  # what was drawn elsewhere is not thrown away
    assert np.array_equal(_saved(opened, name), expected)

    opened.click("closeCaseButton")
    case = opened.session.client.case(opened.session.project.key, name)
    _logic(opened).open(case.id)
    opened.wait_until(lambda: _logic(opened).desk.case is not None)
    assert opened.find("partlyBox").checked
    assert "2 of 12 slices are done: 5-6" in opened.find("doneLabel").text
    red.JumpSliceByCentering(0, 0, 3.0 * 6)
    opened.click("sliceDoneButton")
    _save(opened, name, 2)
    expected[6] = BRIGHT[6]
    assert np.array_equal(_saved(opened, name), expected)


def test_marks_are_those_slices_on_which_nothing_was_left_out() -> None:
    labels, hidden = np.zeros(SHAPE, np.uint8), np.ones(SHAPE, bool)
    labels[3:9, 5:15, 6:18] = 1
    hidden[:, :, 4:6] = False  # done, across i
    hidden[labels > 0] = False
    marks = marks_of(SHAPE, hidden, labels)
    assert (marks.partly, marks.axis, marks.done) == (True, 2, {4, 5})
    hidden[0, 0, 0] = False  # background of a slice that is not done: this is no annotation of whole slices
    marks = marks_of(SHAPE, hidden, labels)
    assert not marks.partly
    assert np.array_equal(marks.unannotated(), hidden)
    strokes = labels == 0  # and nothing else is known
    assert not marks_of(SHAPE, strokes, labels).partly


def _move(panel: OpenPanel, up_mm: float) -> None:
    """Put the scan and what is drawn on it elsewhere, by a transform."""
    scene, move = _logic(panel).desk.scene, np.eye(4)
    move[2, 3] = up_mm
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(move))
    for node in (scene.volume, scene.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())


def test_the_slice_that_is_marked_is_the_one_that_is_seen_under_a_transform(opened: OpenPanel) -> None:
    _open_next(opened)
    opened.find("partlyBox").checked = True
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    red.JumpSliceByCentering(0, 0, 3.0 * 7)
    assert "slice 8 of 12" in opened.find("sliceLabel").text
    _move(opened, up_mm=9.0)
    assert "slice 5 of 12" in opened.find("sliceLabel").text
    opened.click("sliceDoneButton")
    assert _logic(opened).marks.done == {4}
    red.JumpSliceByCentering(0, 0, 3.0 * 11 + 9.0)
    assert "slice 12 of 12" in opened.find("sliceLabel").text
    red.JumpSliceByCentering(0, 0, 0)
    assert "beside the scan" in opened.find("sliceLabel").text


def test_slices_that_a_transform_bends_are_not_marked(opened: OpenPanel) -> None:
    _open_next(opened)
    opened.find("partlyBox").checked = True
    bend = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    _logic(opened).desk.scene.volume.SetAndObserveTransformNodeID(bend.GetID())
    assert "under the transform 'Warp', which bends space" in opened.find("sliceLabel").text
    assert not opened.find("sliceDoneButton").enabled


def test_a_red_view_that_is_turned_is_not_said_to_be_beside_the_scan(opened: OpenPanel) -> None:
    _open_next(opened)
    opened.find("partlyBox").checked = True
    opened.click("sliceDoneButton")
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    red.SetOrientationToSagittal()
    assert "The red view is turned" in opened.find("sliceLabel").text
    assert not opened.find("sliceDoneButton").enabled
    assert len(_logic(opened).marks.done) == 1


def test_every_slice_with_something_on_it_is_done_by_one_click(opened: OpenPanel) -> None:
    name = _open_next(opened)
    _draw(opened)
    opened.find("partlyBox").checked = True
    opened.click("drawnDoneButton")
    opened.wait_until(lambda: _logic(opened).marks.ranges() == "4-9")
    _save(opened, name, 1)
    expected = np.where(BRIGHT, 1, 0).astype(np.uint8)
    expected[:3] = expected[9:] = 255
    assert np.array_equal(_saved(opened, name), expected)
    opened.click("closeCaseButton")
    _logic(opened).open(opened.session.client.case(opened.session.project.key, name).id)
    opened.wait_until(lambda: _logic(opened).desk.case is not None)
    assert opened.find("partlyBox").checked
    assert _logic(opened).marks.ranges() == "4-9"


def test_a_case_with_nothing_drawn_is_not_saved_by_accident(opened: OpenPanel) -> None:
    name = _open_next(opened)
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: "nothing is drawn" in opened.message)
    assert not _versions(opened, name)


def test_what_is_drawn_wholly_beside_the_scan_is_nothing(opened: OpenPanel) -> None:
    name = _open_next(opened)
    scene, far = _logic(opened).desk.scene, np.eye(4)
    far[:3, 3] = 500.0
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(far))
    _draw(opened)
    scene.segmentation.SetAndObserveTransformNodeID(transform.GetID())
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: "nothing is drawn" in opened.message)
    assert not _versions(opened, name)
    assert opened.find("saveAnnotationButton").enabled


def test_a_segment_that_the_project_lacks_is_added_to_it(opened: OpenPanel) -> None:
    name = _open_next(opened)
    segmentation = _logic(opened).desk.scene.segmentation.GetSegmentation()
    segment = segmentation.AddEmptySegment("cyst", "Cyst", (1.0, 0.0, 0.0))
    opened.session.editor.widget.setCurrentSegmentID(segment)
    _draw(opened)
    _save(opened, name, 1)
    found = opened.session.project.segments[-1]
    assert (found.name, found.value, found.colour) == ("Cyst", 3, (255, 0, 0))
    assert np.array_equal(_saved(opened, name), BRIGHT * np.uint8(3))


def _draw_a_cyst(panel: OpenPanel) -> None:
    """Draw on a segment that the project lacks."""
    segmentation = _logic(panel).desk.scene.segmentation.GetSegmentation()
    panel.session.editor.widget.setCurrentSegmentID(
        segmentation.AddEmptySegment("cyst", "Cyst", (1.0, 0.0, 0.0))
    )
    _draw(panel)


class _SlowSchema:
    """The engine takes until `go_on` for the project's next segment, which it may refuse."""

    def __init__(self, panel: OpenPanel, monkeypatch: pytest.MonkeyPatch, refuses: bool = False) -> None:
        self._gate, real = threading.Event(), panel.session.client.set_schema

        def wait(*given: Any) -> Any:
            assert self._gate.wait(60)
            if refuses:
                raise EngineError("schema", "The project is full.")
            return real(*given)

        monkeypatch.setattr(panel.session.client, "set_schema", wait)

    def go_on(self) -> None:
        self._gate.set()


def test_while_the_project_gets_a_segment_the_drawing_is_on_its_way(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, name = _SlowSchema(opened, monkeypatch), _open_next(opened)
    _draw_a_cyst(opened)
    opened.click("saveAnnotationButton")
    assert not opened.find("saveAnnotationButton").enabled
    assert not opened.find("closeCaseButton").enabled
    _logic(opened).leave()
    assert "Wait a moment" in opened.message
    schema.go_on()
    opened.wait_until(lambda: not _logic(opened).desk.busy)
    assert len(_versions(opened, name)) == 1
    assert not _logic(opened).desk.touched


@pytest.mark.parametrize("refuses", [False, True])
def test_a_scene_that_is_closed_while_the_project_gets_a_segment_loses_nothing(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    schema, name = _SlowSchema(opened, monkeypatch, refuses), _open_next(opened)
    _draw_a_cyst(opened)
    opened.click("saveAnnotationButton")
    slicer.mrmlScene.Clear(0)
    monkeypatch.undo() if refuses else None  # the next time, it does not refuse
    schema.go_on()
    opened.wait_until(lambda: len(_versions(opened, name)) == 1)
    assert np.array_equal(_saved(opened, name), BRIGHT * np.uint8(3))
    opened.wait_until(lambda: not opened.session.background._pending)
    assert len(_versions(opened, name)) == 1


@pytest.mark.parametrize("why", ["the person cancels", "the engine refuses"])
def test_a_drawing_that_does_not_get_its_segment_is_still_to_be_saved(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    name = _open_next(opened)
    _draw_a_cyst(opened)
    if why == "the person cancels":
        monkeypatch.setattr(asking, "choose", lambda *_, while_testing: 2)
    else:
        _SlowSchema(opened, monkeypatch, refuses=True).go_on()
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: opened.find("saveAnnotationButton").enabled)
    assert _logic(opened).desk.changes.at_risk
    assert not _versions(opened, name)


def test_leaving_a_case_asks_about_what_is_not_saved(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(_title: str, text: str, _answers: object, while_testing: int) -> int:
        asked.append(text)
        return 2  # stay

    monkeypatch.setattr(asking, "choose", answer)
    name = _open_next(opened)
    _draw(opened)
    opened.click("closeCaseButton")
    assert "not saved" in asked[0]
    assert _logic(opened).desk.case.name == name


def test_closing_the_scene_saves_what_was_drawn(opened: OpenPanel) -> None:
    name = _open_next(opened)
    _draw(opened)
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: len(_versions(opened, name)) == 1)
    assert np.array_equal(_saved(opened, name), BRIGHT.astype(np.uint8))
    assert _logic(opened).desk.case is None
    assert _open_next(opened)  # and the panel works on
    _draw(opened)


def test_removing_the_volume_saves_what_was_drawn(opened: OpenPanel) -> None:
    name = _open_next(opened)
    _draw(opened)
    slicer.mrmlScene.RemoveNode(_logic(opened).desk.scene.volume)
    opened.wait_until(lambda: len(_versions(opened, name)) == 1)
    assert np.array_equal(_saved(opened, name), BRIGHT.astype(np.uint8))


def test_a_double_click_in_the_table_opens_the_case_here(opened: OpenPanel) -> None:
    table = opened.find("casesTable")
    opened.wait_until(lambda: table.rowCount == 2 and table.item(1, 0) is not None)
    table.cellDoubleClicked.emit(1, 0)
    opened.wait_until(lambda: _logic(opened).desk.case is not None)
    assert _logic(opened).desk.case.name == "two"


def test_an_older_version_counts_again(opened: OpenPanel) -> None:
    name = _open_next(opened)
    _draw(opened)
    _save(opened, name, 1)
    _draw(opened, 0, 200)
    _save(opened, name, 2)
    table = opened.find("casesTable")
    row = 0 if name == "one" else 1
    opened.wait_until(lambda: table.item(row, 1) is not None and "annotated" in table.item(row, 1).text())
    table.selectRow(row)
    opened.click("versionsButton")
    view = opened.widget.panel.views["project"]
    opened.wait_until(lambda: view._versions is not None)
    view._versions.table.selectRow(1)
    view._versions.button.click()
    opened.wait_until(lambda: len(_versions(opened, name)) == 3)
    assert np.array_equal(_saved(opened, name), BRIGHT.astype(np.uint8))


@pytest.mark.parametrize("draw", [_draw, _draw_a_cyst])
def test_ending_slicer_waits_until_what_is_being_saved_has_arrived(
    opened: OpenPanel, draw: Callable[[OpenPanel], None]
) -> None:
    name = _open_next(opened)
    draw(opened)
    client, project = opened.session.client, opened.session.project
    opened.click("saveAnnotationButton")
    opened.close()
    assert client.case(project.key, name).annotation is not None


def test_ending_slicer_waits_until_what_was_drawn_is_saved(opened: OpenPanel) -> None:
    name = _open_next(opened)
    _draw(opened)
    opened.find("partlyBox").checked = True  # and no slice marked: the drawn ones count
    client, project = opened.session.client, opened.session.project
    opened.close()
    case = client.case(project.key, name)
    assert case.annotation is not None
    labels = sitk.GetArrayFromImage(sitk.ReadImage(case.annotation.path))
    assert np.array_equal(labels == 1, BRIGHT)
    assert (labels[:3] == 255).all()
