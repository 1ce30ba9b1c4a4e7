"""Annotations of a few slices: which of them are done, wherever the scan and the red view are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from annotating import BRIGHT, SHAPE, draw, logic, open_boxes, open_next, save, saved
from MedSSLLib.slice_marks import marks_of
from panels import OpenPanel


@pytest.fixture
def opened(panel: OpenPanel, tmp_path: Path) -> OpenPanel:
    """The section with two scans."""
    return open_boxes(panel, tmp_path)


def test_slices_that_are_not_done_are_saved_as_not_annotated_and_come_back(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
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
    save(opened, name, 1)
    expected = np.full(SHAPE, 255, np.uint8)
    expected[4:6] = BRIGHT[4:6]
    expected[BRIGHT] = 1  # what was drawn elsewhere is not thrown away
    assert np.array_equal(saved(opened, name), expected)

    opened.click("closeCaseButton")
    case = opened.session.client.case(opened.session.project.key, name)
    logic(opened).open(case.id)
    opened.wait_until(lambda: logic(opened).desk.case is not None)
    assert opened.find("partlyBox").checked
    assert "2 of 12 slices are done: 5-6" in opened.find("doneLabel").text
    red.JumpSliceByCentering(0, 0, 3.0 * 6)
    opened.click("sliceDoneButton")
    save(opened, name, 2)
    expected[6] = BRIGHT[6]
    assert np.array_equal(saved(opened, name), expected)


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
    scene, move = logic(panel).desk.scene, np.eye(4)
    move[2, 3] = up_mm
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(move))
    for node in (scene.volume, scene.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())


def test_the_slice_that_is_marked_is_the_one_that_is_seen_under_a_transform(opened: OpenPanel) -> None:
    open_next(opened)
    opened.find("partlyBox").checked = True
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    red.JumpSliceByCentering(0, 0, 3.0 * 7)
    assert "slice 8 of 12" in opened.find("sliceLabel").text
    _move(opened, up_mm=9.0)
    assert "slice 5 of 12" in opened.find("sliceLabel").text
    opened.click("sliceDoneButton")
    assert logic(opened).marks.done == {4}
    red.JumpSliceByCentering(0, 0, 3.0 * 11 + 9.0)
    assert "slice 12 of 12" in opened.find("sliceLabel").text
    red.JumpSliceByCentering(0, 0, 0)
    assert "beside the scan" in opened.find("sliceLabel").text


def test_slices_that_a_transform_bends_are_not_marked(opened: OpenPanel) -> None:
    open_next(opened)
    opened.find("partlyBox").checked = True
    bend = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    logic(opened).desk.scene.volume.SetAndObserveTransformNodeID(bend.GetID())
    assert "under the transform 'Warp', which bends space" in opened.find("sliceLabel").text
    assert not opened.find("sliceDoneButton").enabled


def test_a_red_view_that_is_turned_is_not_said_to_be_beside_the_scan(opened: OpenPanel) -> None:
    open_next(opened)
    opened.find("partlyBox").checked = True
    opened.click("sliceDoneButton")
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    red.SetOrientationToSagittal()
    assert "The red view is turned" in opened.find("sliceLabel").text
    assert not opened.find("sliceDoneButton").enabled
    assert len(logic(opened).marks.done) == 1


def test_every_slice_with_something_on_it_is_done_by_one_click(opened: OpenPanel) -> None:
    name = open_next(opened)
    draw(opened)
    opened.find("partlyBox").checked = True
    opened.click("drawnDoneButton")
    opened.wait_until(lambda: logic(opened).marks.ranges() == "4-9")
    save(opened, name, 1)
    expected = np.where(BRIGHT, 1, 0).astype(np.uint8)
    expected[:3] = expected[9:] = 255
    assert np.array_equal(saved(opened, name), expected)
    opened.click("closeCaseButton")
    logic(opened).open(opened.session.client.case(opened.session.project.key, name).id)
    opened.wait_until(lambda: logic(opened).desk.case is not None)
    assert opened.find("partlyBox").checked
    assert logic(opened).marks.ranges() == "4-9"
