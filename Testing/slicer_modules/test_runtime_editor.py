"""The stand-in's Segment Editor draws, masks and undoes with the application's real logic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import slicer


@pytest.fixture
def volume(runtime: Any) -> Any:
    values = np.full((12, 20, 24), 10, np.int16)
    values[3:9, 5:15, 6:18] = 100
    return slicer.util.addVolumeFromArray(values, name="Scan")


@pytest.fixture
def editor(runtime: Any, volume: Any) -> Iterator[Any]:
    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    widget.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNode(slicer.vtkMRMLSegmentEditorNode()))
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name in ("inside", "rest"):
        segmentation.GetSegmentation().AddEmptySegment(name, name)
    widget.setSegmentationNode(segmentation)
    widget.setSourceVolumeNode(volume)
    yield widget
    widget.uninstallKeyboardShortcuts()
    widget.removeViewObservations()
    widget.setMRMLSegmentEditorNode(None)


def voxels(editor: Any, segment: str) -> int:
    node, volume = editor.segmentationNode(), editor.sourceVolumeNode()
    return int(slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume).sum())


def threshold(editor: Any, low: float, high: float) -> None:
    editor.setActiveEffectByName("Threshold")
    effect = editor.activeEffect()
    effect.setParameter("MinimumThreshold", low)
    effect.setParameter("MaximumThreshold", high)
    effect.self().onApply()


def test_a_threshold_fills_the_selected_segment_and_is_put_away(editor: Any) -> None:
    assert editor.currentSegmentID() == "inside"
    threshold(editor, 50, 200)
    assert voxels(editor, "inside") == 6 * 10 * 12
    assert editor.activeEffect() is None


def test_what_was_drawn_is_undone_and_redone(editor: Any) -> None:
    threshold(editor, 50, 200)
    editor.undo()
    assert voxels(editor, "inside") == 0
    editor.redo()
    assert voxels(editor, "inside") == 720


def test_a_second_segment_takes_voxels_from_the_first_unless_overlap_is_allowed(editor: Any) -> None:
    threshold(editor, 50, 200)
    editor.setCurrentSegmentID("rest")
    threshold(editor, 0, 200)
    assert (voxels(editor, "inside"), voxels(editor, "rest")) == (0, 12 * 20 * 24)
    editor.undo()
    editor.mrmlSegmentEditorNode().SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    threshold(editor, 0, 200)
    assert voxels(editor, "inside") == 720


def test_a_stroke_in_a_slice_view_draws_with_the_brush(runtime: Any, editor: Any, volume: Any) -> None:
    runtime.window.show()
    runtime.work()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    editor.setupViewObservations()
    editor.setActiveEffectByName("Paint")
    editor.activeEffect().setCommonParameter("BrushDiameterIsRelative", 0)
    editor.activeEffect().setCommonParameter("BrushAbsoluteDiameter", 4)
    red = slicer.app.layoutManager().sliceWidget("Red")
    view = red.sliceView()
    middle = (view.width // 2, view.height // 2)
    slicer.util.clickAndDrag(red, start=middle, end=(middle[0] + 30, middle[1]))
    painted = slicer.util.arrayFromSegmentBinaryLabelmap(editor.segmentationNode(), "inside", volume)
    assert painted.any(axis=(1, 2)).sum() == 1, "only the slice that is shown"
    assert painted.sum() > 3
    editor.setActiveEffectByName("Erase")
    slicer.util.clickAndDrag(red, start=middle, end=(middle[0] + 30, middle[1]))
    assert voxels(editor, "inside") == 0
    runtime.window.hide()


def test_an_effect_leaves_the_mouse_alone_once_views_are_not_observed(runtime: Any, editor: Any) -> None:
    editor.setupViewObservations()
    editor.removeViewObservations()
    editor.setActiveEffectByName("Paint")
    slicer.util.clickAndDrag(slicer.app.layoutManager().sliceWidget("Red"), start=(60, 60), end=(90, 60))
    assert voxels(editor, "inside") == 0


def test_the_table_of_segments_follows_and_leads(editor: Any) -> None:
    table = slicer.util.findChildren(editor, className="qMRMLSegmentsTableView")[0]
    assert [table.segmentIDForRow(row) for row in range(table.segmentCount)] == ["inside", "rest"]
    table.setSelectedSegmentIDs(["rest"])
    assert editor.currentSegmentID() == "rest"
    editor.segmentationNode().GetSegmentation().GetSegment("rest").SetName("renamed")
    assert table.tableWidget().item(1, 2).text() == "renamed"


def test_another_segmentation_begins_with_its_own_first_segment(editor: Any) -> None:
    editor.setCurrentSegmentID("rest")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Other")
    other.GetSegmentation().AddEmptySegment("only", "only")
    editor.setSegmentationNode(None)
    editor.setSegmentationNode(other)
    assert editor.currentSegmentID() == "only"
