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
from annotating import BRIGHT, draw, logic, open_boxes, open_next, save, saved, versions
from medssl.client import Client, EngineError
from MedSSLLib import asking
from panels import OpenPanel


@pytest.fixture
def opened(panel: OpenPanel, tmp_path: Path) -> OpenPanel:
    """The section with two scans."""
    return open_boxes(panel, tmp_path)


def test_the_suggested_case_is_opened_drawn_on_and_saved(opened: OpenPanel) -> None:
    opened.wait_until(lambda: opened.find("nextCaseButton").enabled)
    assert opened.find("suggestionLabel").text
    name = open_next(opened)
    assert opened.shows("annotateEditorFrame")
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == logic(opened).desk.scene.volume.GetID()
    draw(opened)
    assert "not saved yet" in opened.find("annotatedLabel").text
    save(opened, name, 1)
    assert np.array_equal(saved(opened, name), BRIGHT.astype(np.uint8))
    assert "not saved yet" not in opened.find("annotatedLabel").text
    assert "saved, as version 1" in opened.message
    assert not list((Path(opened.session.project.folder) / "cache").glob("from-slicer/*"))
    annotation = versions(opened, name)[0]
    assert annotation.author
    assert annotation.seconds > 0


def test_undo_of_the_editor_takes_a_stroke_back_before_it_is_saved(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
    draw(opened, 0, 50)
    opened.session.editor.widget.undo()
    save(opened, name, 1)
    assert np.array_equal(saved(opened, name), BRIGHT.astype(np.uint8))


def test_a_case_with_nothing_drawn_is_not_saved_by_accident(opened: OpenPanel) -> None:
    name = open_next(opened)
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: "nothing is drawn" in opened.message)
    assert not versions(opened, name)


def test_what_is_drawn_wholly_beside_the_scan_is_nothing(opened: OpenPanel) -> None:
    name = open_next(opened)
    scene, far = logic(opened).desk.scene, np.eye(4)
    far[:3, 3] = 500.0
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(far))
    draw(opened)
    scene.segmentation.SetAndObserveTransformNodeID(transform.GetID())
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: "nothing is drawn" in opened.message)
    assert not versions(opened, name)
    assert opened.find("saveAnnotationButton").enabled


def test_a_segment_that_the_project_lacks_is_added_to_it(opened: OpenPanel) -> None:
    name = open_next(opened)
    segmentation = logic(opened).desk.scene.segmentation.GetSegmentation()
    segment = segmentation.AddEmptySegment("cyst", "Cyst", (1.0, 0.0, 0.0))
    opened.session.editor.widget.setCurrentSegmentID(segment)
    draw(opened)
    save(opened, name, 1)
    found = opened.session.project.segments[-1]
    assert (found.name, found.value, found.colour) == ("Cyst", 3, (255, 0, 0))
    assert np.array_equal(saved(opened, name), BRIGHT * np.uint8(3))


def _draw_a_cyst(panel: OpenPanel) -> None:
    """Draw on a segment that the project lacks."""
    segmentation = logic(panel).desk.scene.segmentation.GetSegmentation()
    panel.session.editor.widget.setCurrentSegmentID(
        segmentation.AddEmptySegment("cyst", "Cyst", (1.0, 0.0, 0.0))
    )
    draw(panel)


class _SlowSchema:
    """The engine takes until `go_on` for the project's next segment, which it may refuse."""

    def __init__(self, panel: OpenPanel, monkeypatch: pytest.MonkeyPatch, refuses: bool = False) -> None:
        self._gate, real = threading.Event(), panel.session.client.set_schema

        def wait(*given: Any, **more: Any) -> Any:
            assert self._gate.wait(60)
            if refuses:
                raise EngineError("schema", "The project is full.")
            return real(*given, **more)

        monkeypatch.setattr(panel.session.client, "set_schema", wait)

    def go_on(self) -> None:
        self._gate.set()


def test_while_the_project_gets_a_segment_the_drawing_is_on_its_way(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, name = _SlowSchema(opened, monkeypatch), open_next(opened)
    _draw_a_cyst(opened)
    opened.click("saveAnnotationButton")
    assert not opened.find("saveAnnotationButton").enabled
    assert not opened.find("closeCaseButton").enabled
    logic(opened).leave()
    assert "Wait a moment" in opened.message
    schema.go_on()
    opened.wait_until(lambda: not logic(opened).desk.busy)
    assert len(versions(opened, name)) == 1
    assert not logic(opened).desk.touched


def test_a_segment_that_was_added_elsewhere_stays_beside_the_one_that_is_drawn(
    opened: OpenPanel, engine: Client
) -> None:
    name = open_next(opened)
    _draw_a_cyst(opened)
    key = opened.session.project.key
    engine.set_schema(key, {1: "Box", 2: "Rest", 3: "Stone"})
    save(opened, name, 1)
    assert [each.name for each in engine.project(key).segments] == ["Box", "Rest", "Stone", "Cyst"]
    assert np.array_equal(saved(opened, name), BRIGHT * np.uint8(4))


@pytest.mark.parametrize("refuses", [False, True])
def test_a_scene_that_is_closed_while_the_project_gets_a_segment_loses_nothing(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    schema, name = _SlowSchema(opened, monkeypatch, refuses), open_next(opened)
    _draw_a_cyst(opened)
    opened.click("saveAnnotationButton")
    slicer.mrmlScene.Clear(0)
    monkeypatch.undo() if refuses else None  # the next time, it does not refuse
    schema.go_on()
    opened.wait_until(lambda: len(versions(opened, name)) == 1)
    assert np.array_equal(saved(opened, name), BRIGHT * np.uint8(3))
    opened.wait_until(lambda: not opened.session.background._pending)
    assert len(versions(opened, name)) == 1


@pytest.mark.parametrize("why", ["the person cancels", "the engine refuses"])
def test_a_drawing_that_does_not_get_its_segment_is_still_to_be_saved(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    name = open_next(opened)
    _draw_a_cyst(opened)
    if why == "the person cancels":
        monkeypatch.setattr(asking, "choose", lambda *_, **_more: 2)
    else:
        _SlowSchema(opened, monkeypatch, refuses=True).go_on()
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: opened.find("saveAnnotationButton").enabled)
    assert logic(opened).desk.changes.at_risk
    assert not versions(opened, name)


def test_leaving_a_case_asks_about_what_is_not_saved(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(_title: str, text: str, *_: object, **_more: object) -> int:
        asked.append(text)
        return 2  # stay

    monkeypatch.setattr(asking, "choose", answer)
    name = open_next(opened)
    draw(opened)
    opened.click("closeCaseButton")
    assert "not saved" in asked[0]
    assert logic(opened).desk.case.name == name


def test_closing_the_scene_saves_what_was_drawn(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: len(versions(opened, name)) == 1)
    assert np.array_equal(saved(opened, name), BRIGHT.astype(np.uint8))
    assert logic(opened).desk.case is None
    assert open_next(opened)  # and the panel works on
    draw(opened)


def test_closing_the_scene_makes_no_annotation_of_nothing(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
    draw(opened, low=1000, high=2000)  # which nothing is: what was drawn is gone again
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: "nothing is drawn" in opened.message)
    opened.wait_until(lambda: not opened.session.safety.unsaved)
    assert versions(opened, name) == ()


def test_removing_the_volume_saves_what_was_drawn(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
    slicer.mrmlScene.RemoveNode(logic(opened).desk.scene.volume)
    opened.wait_until(lambda: len(versions(opened, name)) == 1)
    assert np.array_equal(saved(opened, name), BRIGHT.astype(np.uint8))


def test_a_double_click_in_the_table_opens_the_case_here(opened: OpenPanel) -> None:
    table = opened.find("casesTable")
    opened.wait_until(lambda: table.rowCount == 2 and table.item(1, 0) is not None)
    table.cellDoubleClicked.emit(1, 0)
    opened.wait_until(lambda: logic(opened).desk.case is not None)
    assert logic(opened).desk.case.name == "two"


def test_an_older_version_counts_again(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
    save(opened, name, 1)
    draw(opened, 0, 200)
    save(opened, name, 2)
    table = opened.find("casesTable")
    row = 0 if name == "one" else 1
    opened.wait_until(lambda: table.item(row, 1) is not None and "annotated" in table.item(row, 1).text())
    table.selectRow(row)
    opened.click("versionsButton")
    view = opened.widget.panel.views["project"]
    opened.wait_until(lambda: view._versions is not None)
    view._versions.table.selectRow(1)
    view._versions.button.click()
    opened.wait_until(lambda: len(versions(opened, name)) == 3)
    assert np.array_equal(saved(opened, name), BRIGHT.astype(np.uint8))


@pytest.mark.parametrize("draw", [draw, _draw_a_cyst])
def test_ending_slicer_waits_until_what_is_being_saved_has_arrived(
    opened: OpenPanel, draw: Callable[[OpenPanel], None]
) -> None:
    name = open_next(opened)
    draw(opened)
    client, project = opened.session.client, opened.session.project
    opened.click("saveAnnotationButton")
    opened.close()
    assert client.case(project.key, name).annotation is not None


def test_ending_slicer_waits_until_what_was_drawn_is_saved(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
    opened.find("partlyBox").checked = True  # and no slice marked: the drawn ones count
    client, project = opened.session.client, opened.session.project
    opened.close()
    case = client.case(project.key, name)
    assert case.annotation is not None
    labels = sitk.GetArrayFromImage(sitk.ReadImage(case.annotation.path))
    assert np.array_equal(labels == 1, BRIGHT)
    assert (labels[:3] == 255).all()
