"""One case on the screen for all sections: it makes way for another, and what is drawn on it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from desks import draw, logic, show
from learning import project_with_proposals
from medssl.client import Client, Project
from MedSSLLib import asking
from MedSSLLib.grids import array_of_matrix
from panels import OpenPanel, person_answers

VOLUME, SEGMENTATION = "vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """'small_1' is annotated, and a model proposed something for 'small_3' and 'small_2'."""
    return project_with_proposals(engine, small_dataset, "small_3", "small_2")


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    """A panel with the project open, and a volume of the person's own in the scene."""
    panel.ready()
    slicer.mrmlScene.AddNewNodeByClass(VOLUME, "Mine")
    panel.session.set_project(project)
    panel.wait_until(lambda: panel.find("queueTable").rowCount == 2)
    return panel


def fill(desk: Any) -> None:
    """Draw the first segment everywhere."""
    scene = desk.scene
    segment = scene.segmentation.GetSegmentation().GetNthSegmentID(0)
    everything = np.ones(scene.grid.shape, np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(everything, scene.segmentation, segment, scene.volume)


def names(class_name: str) -> set[str]:
    return {node.GetName() for node in slicer.util.getNodesByClass(class_name)}


def answer(monkeypatch: pytest.MonkeyPatch, place: int) -> list[str]:
    """Answer every question with the button at a place; returns the questions as they come."""
    asked: list[str] = []

    def choose(_title: str, text: str, *_: object, **_more: object) -> int:
        asked.append(text)
        return place

    monkeypatch.setattr(asking, "choose", choose)
    return asked


@pytest.mark.parametrize(
    ("first", "then"), [(("annotate", "small_1"), ("review", "small_3")),
                        (("review", "small_3"), ("annotate", "small_1"))],
)  # fmt: skip
def test_a_case_makes_way_for_that_of_another_section(
    opened: OpenPanel, first: tuple[str, str], then: tuple[str, str]
) -> None:
    before = show(opened, *first)
    after = show(opened, *then)
    assert before.desk.case is None
    assert names(SEGMENTATION) == {after.desk.scene.segmentation.GetName()}
    assert "Mine" in names(VOLUME)
    assert not any(name.startswith(first[1]) for name in names(VOLUME))
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        assert composite.GetBackgroundVolumeID() == after.desk.scene.volume.GetID()
    assert opened.session.editor.segmentation in (None, after.desk.scene.segmentation)


def test_what_is_drawn_in_annotate_is_saved_before_review_shows_another_case(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = opened.session.client
    draw(show(opened, "annotate", "small_1").desk)
    asked = answer(monkeypatch, 0)
    show(opened, "review", "small_3")
    assert len(asked) == 1
    assert "small_1" in asked[0]
    assert client.case(project.key, "small_1").annotation.version == 2


def test_who_stays_keeps_the_drawing_and_sees_no_other_case(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotate, review = show(opened, "annotate", "small_1"), logic(opened, "review")
    draw(annotate.desk)
    answer(monkeypatch, 2)
    review.open(opened.session.client.case(project.key, "small_3").id)
    assert not review.desk.busy
    assert annotate.desk.case.name == "small_1"
    assert annotate.desk.touched


def test_a_case_that_is_annotated_leaves_annotate_when_review_opens_the_same(
    opened: OpenPanel, project: Project
) -> None:
    annotate = show(opened, "annotate", "small_3")
    show(opened, "review", "small_3")
    assert annotate.desk.case is None
    assert len(names(SEGMENTATION)) == 1


def test_a_proposal_that_was_annotated_over_is_not_reviewed_any_more(
    opened: OpenPanel, project: Project
) -> None:
    draw(show(opened, "annotate", "small_3").desk)
    logic(opened, "review").open(opened.session.client.case(project.key, "small_3").id)  # saves first
    opened.wait_until(lambda: "waits any more" in opened.message)
    assert logic(opened, "review").desk.case is None
    assert opened.session.client.case(project.key, "small_3").state == "annotated"


def test_a_case_that_is_still_loading_does_not_come_after_the_one_that_was_asked_for_later(
    opened: OpenPanel, project: Project
) -> None:
    client, annotate = opened.session.client, logic(opened, "annotate")
    annotate.open(client.case(project.key, "small_1").id)
    assert annotate.desk.busy
    review = show(opened, "review", "small_3")
    opened.wait_until(lambda: not opened.session.background._pending)
    assert annotate.desk.case is None
    assert not annotate.desk.busy
    assert review.desk.case.name == "small_3"
    assert len(names(SEGMENTATION)) == 1


def views() -> list[Any]:
    """What each slice view shows: its layers, their opacity, its plane, and how much of it."""
    layers = [
        (node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetForegroundOpacity())
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    ]
    planes = [
        np.round([*array_of_matrix(node.GetSliceToRAS()).ravel(), *node.GetFieldOfView()], 6).tolist()
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")
    ]
    return [layers, planes]


@pytest.mark.parametrize(("section", "case"), [("annotate", "small_1"), ("review", "small_3")])
def test_the_views_show_what_they_showed_before_when_a_case_is_closed(
    opened: OpenPanel, section: str, case: str
) -> None:
    mine = slicer.util.addVolumeFromArray(np.ones((4, 5, 6), np.int16), name="My scan")
    other = slicer.util.addVolumeFromArray(np.ones((4, 5, 6), np.int16), name="My other scan")
    slicer.util.setSliceViewerLayers(background=mine, foreground=other, foregroundOpacity=0.25, fit=True)
    opened.wait_until(lambda: True)
    before = views()
    desk = show(opened, section, case).desk
    assert views()[0] != before[0]
    assert views()[1] != before[1]
    desk.give_way()
    assert views() == before


def test_a_volume_that_the_person_put_into_a_view_stays_there_when_the_case_is_closed(
    opened: OpenPanel,
) -> None:
    desk = show(opened, "review", "small_3").desk
    mine = slicer.util.addVolumeFromArray(np.ones((4, 5, 6), np.int16), name="My scan")
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    red.SetBackgroundVolumeID(mine.GetID())
    desk.give_way()
    assert red.GetBackgroundVolumeID() == mine.GetID()


@pytest.mark.parametrize("how", ["another project", "module closed", "scene closed"])
def test_a_case_does_not_come_into_what_was_left_while_it_was_loading(
    opened: OpenPanel, project: Project, how: str
) -> None:
    annotate = logic(opened, "annotate")
    annotate.open(opened.session.client.case(project.key, "small_1").id)
    if how == "module closed":
        opened.widget.cleanup()
    elif how == "scene closed":
        slicer.mrmlScene.Clear(0)
    else:
        opened.session.set_project(None)
    opened.wait_until(lambda: not opened.session.background._pending)
    assert annotate.desk.case is None
    assert not annotate.desk.busy
    assert names(VOLUME) == (set() if how == "scene closed" else {"Mine"})


@pytest.mark.parametrize("how", ["Escape", "the window's X"])
def test_closing_the_question_about_a_drawing_that_cannot_stay_saves_it(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    from PySide6 import QtCore, QtTest

    def close_it(box: Any) -> None:
        QtTest.QTest.keyClick(box, QtCore.Qt.Key.Key_Escape) if how == "Escape" else box.close()

    draw(show(opened, "annotate", "small_1").desk)
    with person_answers(monkeypatch, close_it) as told:
        slicer.mrmlScene.Clear(0)
    assert sorted(told[1:]) == ["Discard", "Save"]
    client = opened.session.client
    opened.wait_until(lambda: client.case(project.key, "small_1").annotation.version == 2, 60)


def test_time_counts_only_while_the_panel_is_open(opened: OpenPanel) -> None:
    slicer.util.selectModule("")
    annotate = show(opened, "annotate", "small_1")
    assert annotate.desk.seconds == 0.0
    slicer.util.selectModule("MedSSLSegment")
    opened.wait_until(lambda: annotate.desk.seconds > 0)


def test_a_case_that_is_looked_at_in_3d_is_not_drawn_on(opened: OpenPanel) -> None:
    desk = show(opened, "annotate", "small_1").desk
    segmentation = desk.scene.segmentation.GetSegmentation()
    for shown in (True, False):
        opened.click("Show3DButton")
        assert segmentation.ContainsRepresentation("Closed surface") == shown
        assert not desk.touched


def test_what_is_undone_renamed_or_recolored_after_saving_is_not_taken_for_saved(
    opened: OpenPanel, project: Project
) -> None:
    annotate = show(opened, "annotate", "small_1")
    editor = opened.session.editor.widget
    segment = annotate.desk.scene.segmentation.GetSegmentation().GetNthSegment(0)
    opened.click("Show3DButton")
    editor.saveStateForUndo()
    draw(annotate.desk)
    for change in (editor.undo, lambda: segment.SetName("Another"), lambda: segment.SetColor(0.1, 0.2, 0.3)):
        annotate.desk.changes.forget()
        change()
        assert annotate.desk.touched


def test_what_belongs_to_a_case_goes_with_its_volume(opened: OpenPanel) -> None:
    annotate = show(opened, "annotate", "small_1")
    slicer.mrmlScene.RemoveNode(annotate.desk.scene.volume)
    opened.wait_until(lambda: not names(SEGMENTATION))
    assert names(VOLUME) == {"Mine"}
    assert "small_1 was closed" in opened.message


def test_what_is_drawn_as_surfaces_is_kept_too(opened: OpenPanel, project: Project) -> None:
    client, annotate = opened.session.client, show(opened, "annotate", "small_1")
    draw(annotate.desk)
    before = sitk.GetArrayFromImage(sitk.ReadImage(client.case(project.key, "small_1").annotation.path))
    segmentation = annotate.desk.scene.segmentation.GetSegmentation()
    assert segmentation.CreateRepresentation("Closed surface")
    segmentation.SetSourceRepresentationName("Closed surface")
    annotate.save()
    assert "surfaces" in opened.message
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: client.case(project.key, "small_1").annotation.version == 2, 60)
    kept = sitk.GetArrayFromImage(sitk.ReadImage(client.case(project.key, "small_1").annotation.path))
    assert (kept > 0).sum() == pytest.approx((before > 0).sum() + 24, rel=0.4)  # surfaces are smoothed


def test_what_is_drawn_while_a_correction_is_saved_is_saved_as_well(
    opened: OpenPanel, project: Project
) -> None:
    client, review = opened.session.client, show(opened, "review", "small_3")
    draw(review.desk)
    review.accept()
    fill(review.desk)
    small_3 = client.case(project.key, "small_3").id
    opened.wait_until(lambda: len(client.annotations(project.key, small_3)) == 2, 30)
    newest = client.annotations(project.key, small_3)[-1]
    assert (sitk.GetArrayFromImage(sitk.ReadImage(newest.path)) > 0).all()


def test_what_is_drawn_while_an_annotation_is_saved_is_not_taken_for_saved(
    opened: OpenPanel, project: Project
) -> None:
    client, annotate = opened.session.client, show(opened, "annotate", "small_1")
    draw(annotate.desk)
    annotate.save()
    fill(annotate.desk)
    opened.wait_until(lambda: not annotate.desk.busy, 60)
    assert client.case(project.key, "small_1").annotation.version == 2
    assert annotate.desk.touched
    annotate.leave()
    opened.wait_until(lambda: client.case(project.key, "small_1").annotation.version == 3, 60)
    newest = client.case(project.key, "small_1").annotation
    assert (sitk.GetArrayFromImage(sitk.ReadImage(newest.path)) > 0).all()
    opened.wait_until(lambda: annotate.desk.case is None)


def test_a_scene_that_is_closed_while_a_drawing_is_saved_does_not_save_it_twice(
    opened: OpenPanel, project: Project
) -> None:
    client, annotate = opened.session.client, show(opened, "annotate", "small_1")
    draw(annotate.desk)
    annotate.save()
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: not annotate.desk.busy, 60)
    opened.wait_until(lambda: not opened.session.safety.unsaved, 60)
    assert client.case(project.key, "small_1").annotation.version == 2


def test_what_is_drawn_while_a_decision_is_taken_back_is_kept(opened: OpenPanel, project: Project) -> None:
    client, review = opened.session.client, show(opened, "review", "small_3")
    review.accept()
    opened.wait_until(lambda: review.desk.case.name == "small_2" and not review.desk.busy, 60)
    review.undo()
    draw(review.desk)
    opened.wait_until(lambda: client.case(project.key, "small_2").state == "annotated", 60)
    opened.wait_until(lambda: review.desk.case is not None and review.desk.case.name == "small_3", 60)


def test_undo_means_the_last_decision_also_when_a_correction_is_saved_on_the_way(
    opened: OpenPanel, project: Project
) -> None:
    client, review = opened.session.client, show(opened, "review", "small_3")
    review.accept()
    opened.wait_until(lambda: review.desk.case.name == "small_2" and not review.desk.busy, 60)
    draw(review.desk)
    review.undo()  # asks whether to save what is drawn on small_2; under testing it does
    opened.wait_until(lambda: review.desk.case is not None and review.desk.case.name == "small_3", 60)
    assert client.case(project.key, "small_3").state == "proposed"
    assert client.case(project.key, "small_2").annotation.kind == "corrected"
    review.undo()
    opened.wait_until(lambda: review.desk.case is not None and review.desk.case.name == "small_2", 60)
    assert client.case(project.key, "small_2").state == "proposed"
    assert not review.can_undo


def test_a_double_click_in_the_table_unfolds_the_section_that_shows_the_case(opened: OpenPanel) -> None:
    for button in opened.widget.panel.buttons.values():
        button.collapsed = True
    opened.widget.panel.open("project")
    table = opened.find("casesTable")
    opened.wait_until(lambda: table.rowCount == 6 and table.item(2, 0) is not None)
    table.cellDoubleClicked.emit(2, 0)
    opened.wait_until(lambda: logic(opened, "review").desk.case is not None)
    assert not opened.widget.panel.buttons["review"].collapsed
    assert opened.widget.panel.buttons["annotate"].collapsed


def test_a_section_that_is_unfolded_has_no_empty_line_at_its_top(opened: OpenPanel) -> None:
    for section in ("annotate", "train", "review", "apply", "models"):
        opened.widget.panel.open(section)
        assert not opened.shows(f"{section}HintLabel")
        assert opened.widget.panel.views[section].widget.isVisibleTo(opened.widget.parent)
    opened.session.set_project(None)
    assert opened.shows("annotateHintLabel")


def test_reloading_the_module_keeps_what_is_drawn(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    draw(show(opened, "annotate", "small_1").desk)
    opened.widget.onReload()
    assert engine.case(project.key, "small_1").annotation.version == 2
    assert names(SEGMENTATION) == set()
