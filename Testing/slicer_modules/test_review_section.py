"""The section Review: decisions by clicks, drawing in the editor, and what must never be lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from learning import ActedJob, project_with_proposals
from medssl.client import Annotation, Client, Project
from panels import OpenPanel, person_answers
from reviewing import NAMES, open_queue, review, wait_for


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """Three proposals, the one for small_3 the most uncertain."""
    return project_with_proposals(engine, small_dataset, *NAMES)


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    """The panel with the first case of the queue on the screen."""
    return open_queue(panel, project)


def draw(panel: OpenPanel, value: int = 1) -> np.ndarray:
    """Change the proposal on the screen as an effect of the editor does; returns the new label map."""
    scene = review(panel).scene
    segmentation = scene.segmentation.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(
        scene.segmentation, ids[value - 1], scene.volume
    ).copy()
    drawn[12:14, 6:9, 5:9] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, scene.segmentation, ids[value - 1], scene.volume)
    return drawn


def newest(client: Client, project: Project, case: str) -> Annotation:
    return client.annotations(project.key, client.case(project.key, case).id)[-1]


def test_the_most_uncertain_proposal_comes_first(opened: OpenPanel) -> None:
    table = opened.find("queueTable")
    assert [table.item(row, 0).text() for row in range(3)] == list(NAMES)
    assert table.item(0, 1).text() == "0.50"
    assert opened.find("queueLabel").text == "3 proposals wait, the most uncertain first."


def test_scan_proposal_and_heat_map_are_in_the_views(opened: OpenPanel) -> None:
    scene = review(opened).scene
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        assert composite.GetBackgroundVolumeID() == scene.volume.GetID()
        assert composite.GetForegroundVolumeID() == scene.heat_map.GetID()
        assert composite.GetForegroundOpacity() == pytest.approx(0.6)
    segmentation = scene.segmentation.GetSegmentation()
    assert [segmentation.GetNthSegment(n).GetName() for n in range(2)] == ["Kidney", "Renal pelvis"]
    opened.find("heatMapSlider").value = 30
    assert {
        round(each.GetForegroundOpacity(), 2)
        for each in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    } == {0.3}
    opened.find("heatMapBox").checked = False
    assert {
        each.GetForegroundVolumeID() for each in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    } == {None}


def test_the_slider_changes_nothing_but_how_much_is_seen_through_the_heat_map(opened: OpenPanel) -> None:
    scene = review(opened).scene
    red, green, yellow = (
        slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode()
        for name in ("Red", "Green", "Yellow")
    )
    red.SetLabelVolumeID(scene.volume.GetID())  # the person's own
    green.SetForegroundVolumeID(scene.volume.GetID())
    seen: list[object] = []
    tag = yellow.AddObserver("ModifiedEvent", lambda *_: seen.append(yellow.GetForegroundVolumeID()))
    opened.find("heatMapSlider").value = 30
    yellow.RemoveObserver(tag)
    assert red.GetForegroundOpacity() == pytest.approx(0.3)
    assert red.GetLabelVolumeID() == scene.volume.GetID()
    assert green.GetForegroundVolumeID() == scene.volume.GetID()
    assert set(seen) == {scene.heat_map.GetID()}


def _linear(scene: Any) -> np.ndarray:
    """Put a case elsewhere; returns how."""
    move = np.array([[0, -1, 0, 20], [1, 0, 0, -30], [0, 0, 1, 40], [0, 0, 0, 1.0]])
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(move))
    for node in scene.nodes:
        node.SetAndObserveTransformNodeID(transform.GetID())
    return move


@pytest.mark.parametrize("where", [lambda _scene: np.eye(4), _linear])
def test_buttons_lead_to_the_worst_slice_and_through_the_uncertain_places(
    opened: OpenPanel, where: Callable[[Any], np.ndarray]
) -> None:
    scene = review(opened).scene
    to_world = scene.grid.ijk_to_ras

    def shown() -> list[int]:
        """The voxel (z, y, x) that all three slice views go through."""
        back = np.linalg.inv(to_world)
        normals, offsets = [], []
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            to_ras = node.GetSliceToRAS()
            normal = [to_ras.GetElement(row, 2) for row in range(3)]
            point = [to_ras.GetElement(row, 3) for row in range(3)]
            normals.append(normal)
            offsets.append(float(np.dot(normal, point)))
        here = np.linalg.solve(np.array(normals), np.array(offsets))
        return [round(index) for index in (back @ np.array([*here, 1.0]))[:3][::-1]]

    assert shown() == [4, 6, 5]  # a case opens at its worst slice
    to_world = where(scene) @ to_world
    opened.click("worstSliceButton")
    assert shown() == [4, 6, 5]
    assert opened.find("placeLabel").text == "2 uncertain places"
    opened.click("nextPlaceButton")
    opened.click("nextPlaceButton")
    assert opened.find("placeLabel").text == "Place 2 of 2"
    assert shown() == [8, 11, 9]
    opened.click("nextPlaceButton")
    assert shown() == [4, 6, 5]
    opened.click("previousPlaceButton")
    assert shown() == [8, 11, 9]


def test_accepting_keeps_the_proposal_and_shows_the_next_case(opened: OpenPanel, project: Project) -> None:
    client = opened.session.client
    opened.click("acceptButton")
    wait_for(opened, "small_2")
    kept = newest(client, project, "small_3")
    assert kept.kind == "accepted"
    assert kept.seconds is not None
    assert kept.seconds > 0
    opened.wait_until(lambda: opened.find("queueTable").rowCount == 2)
    # Nothing of the case that was decided stays in the scene.
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2


def test_undo_takes_one_decision_after_the_other_back(opened: OpenPanel, project: Project) -> None:
    client = opened.session.client
    opened.click("acceptButton")
    wait_for(opened, "small_2")
    opened.click("rejectButton")
    wait_for(opened, "small_4")
    opened.click("undoButton")
    wait_for(opened, "small_2")
    opened.click("undoButton")
    wait_for(opened, "small_3")
    assert {client.case(project.key, name).state for name in NAMES} == {"proposed"}
    assert not opened.find("undoButton").enabled


def test_what_was_drawn_is_saved_as_a_correction(opened: OpenPanel, project: Project, tmp_path: Path) -> None:
    client = opened.session.client
    opened.click("correctButton")
    editor = opened.session.editor
    assert editor.section == "review"
    assert editor.segmentation is review(opened).scene.segmentation
    assert opened.find("acceptButton").text == "Accept"
    drawn = draw(opened)
    assert opened.find("acceptButton").text == "Save correction"
    opened.click("acceptButton")
    wait_for(opened, "small_2")
    assert editor.section == ""
    kept = newest(client, project, "small_3")
    assert kept.kind == "corrected"
    from medssl.imaging.labels import read_labels

    values = read_labels(Path(kept.path)).volume.array
    assert np.array_equal((values == 1), (drawn > 0) & (values != 2))
    assert values[12:14, 6:9, 5:9].all()


def test_drawing_and_taking_it_back_is_no_correction(opened: OpenPanel, project: Project) -> None:
    client = opened.session.client
    opened.click("correctButton")
    scene = review(opened).scene
    segment = scene.segmentation.GetSegmentation().GetNthSegmentID(0)
    before = slicer.util.arrayFromSegmentBinaryLabelmap(scene.segmentation, segment, scene.volume).copy()
    draw(opened)
    slicer.util.updateSegmentBinaryLabelmapFromArray(before, scene.segmentation, segment, scene.volume)
    opened.click("acceptButton")
    wait_for(opened, "small_2")
    assert newest(client, project, "small_3").kind == "accepted"


def test_what_was_drawn_is_only_rejected_after_a_question(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = opened.session.client
    draw(opened)
    with person_answers(monkeypatch, "No") as told:
        opened.click("rejectButton")
    assert "lose what you changed" in told[0]
    assert review(opened).desk.touched
    assert not review(opened).desk.busy
    with person_answers(monkeypatch, "Yes"):
        opened.click("rejectButton")
    wait_for(opened, "small_2")
    assert client.case(project.key, "small_3").state == "rejected"


def test_going_to_the_next_case_keeps_what_was_drawn(opened: OpenPanel, project: Project) -> None:
    client = opened.session.client
    draw(opened)
    opened.click("nextButton")  # asks; under testing it saves
    wait_for(opened, "small_2")
    assert newest(client, project, "small_3").kind == "corrected"


@pytest.mark.parametrize("how", ["close", "remove volume", "remove segmentation", "leave project"])
def test_nothing_that_was_drawn_is_lost_when_its_scene_goes(
    opened: OpenPanel, project: Project, how: str
) -> None:
    client = opened.session.client
    draw(opened)
    scene = review(opened).scene
    if how == "close":
        slicer.mrmlScene.Clear()
    elif how == "leave project":
        opened.session.set_project(None)
    else:
        slicer.mrmlScene.RemoveNode(scene.volume if how == "remove volume" else scene.segmentation)
    opened.wait_until(lambda: client.case(project.key, "small_3").state == "annotated")
    assert newest(client, project, "small_3").kind == "corrected"
    assert review(opened).desk.case is None
    opened.wait_until(lambda: not slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    assert not opened.find("acceptButton").enabled


def test_the_module_may_be_closed_while_something_is_drawn(
    panel: OpenPanel, project: Project, engine: Client
) -> None:
    panel.ready()
    panel.session.set_project(project)
    panel.wait_until(lambda: panel.find("queueTable").rowCount == 3)
    panel.click("nextButton")
    wait_for(panel, "small_3")
    draw(panel)
    panel.widget.panel.views["review"].close()
    panel.wait_until(lambda: engine.case(project.key, "small_3").state == "annotated")


@pytest.mark.parametrize(("drawn", "saved_as"), [(False, "accepted"), (True, "corrected")])
def test_ending_slicer_waits_until_a_decision_has_arrived(
    opened: OpenPanel, project: Project, drawn: bool, saved_as: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = opened.session.client
    if drawn:
        draw(opened)
    opened.click("acceptButton")
    opened.close()
    assert newest(client, project, "small_3").kind == saved_as
    assert "could not be shown" not in caplog.text


def test_a_correction_waits_for_an_engine_that_is_away(opened: OpenPanel, project: Project) -> None:
    client = opened.session.client
    draw(opened)
    opened.session.set_client(None)
    opened.click("acceptButton")
    opened.wait_until(lambda: "not running" in opened.message)
    assert review(opened).desk.touched  # it is still on the screen
    slicer.mrmlScene.Clear()
    opened.wait_until(lambda: "is not saved in the project yet" in opened.message)
    opened.session.set_client(client, shares_disk=True)
    opened.wait_until(lambda: client.case(project.key, "small_3").state == "annotated")


def test_a_segment_that_the_project_does_not_know_is_named_and_nothing_is_saved(
    opened: OpenPanel, project: Project
) -> None:
    scene = review(opened).scene
    segmentation = scene.segmentation.GetSegmentation()
    added = segmentation.AddEmptySegment("", "Cyst")
    spot = np.zeros(scene.grid.shape, np.uint8)
    spot[0, 0, 0] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(spot, scene.segmentation, added, scene.volume)
    opened.click("acceptButton")
    assert "'Cyst' is not in the project's label schema" in opened.message
    assert opened.session.client.case(project.key, "small_3").state == "proposed"
    assert review(opened).desk.case is not None
    segmentation.RemoveSegment(added)


def test_an_answer_about_a_project_that_was_left_is_not_shown(opened: OpenPanel) -> None:
    logic = review(opened)
    logic.refresh()
    opened.session.set_project(None)
    opened.wait_until(lambda: not opened.session.background._pending)
    assert not logic.queue.waiting


def test_a_scene_is_saved_without_what_the_project_has(opened: OpenPanel, tmp_path: Path) -> None:
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Mine")
    assert len(review(opened).scene.nodes) == 3
    opened.click("correctButton")
    slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
    slicer.mrmlScene.Commit()
    assert "MedSSL" not in (tmp_path / "scene.mrml").read_text()
    slicer.mrmlScene.Connect()  # reads it in place of what is there
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")] == ["Mine"]
    for kind in ("Segmentation", "SegmentationDisplay", "VolumeDisplay", "ColorLegendDisplay"):
        assert not slicer.util.getNodesByClass(f"vtkMRML{kind}Node")


def test_slicer_does_not_ask_about_a_scene_in_which_nothing_but_cases_was(opened: OpenPanel) -> None:
    opened.session.set_project(None)
    asked = vtk.vtkCollection()
    slicer.mrmlScene.GetStorableNodesModifiedSinceRead(asked)
    assert [asked.GetItemAsObject(each).GetName() for each in range(asked.GetNumberOfItems())] == []
    assert not slicer.mrmlScene.GetModifiedSinceRead()


def test_the_next_case_is_read_while_the_person_looks(opened: OpenPanel) -> None:
    opened.wait_until(lambda: review(opened).ahead.proposal is not None)
    opened.click("nextButton")
    assert "small_2" in opened.find("caseLabel").text  # at once, without a turn of the event loop


def test_two_volumes_of_one_name_are_told_apart(panel: OpenPanel, project: Project, engine: Client) -> None:
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "small_3")
    panel.ready()
    panel.session.set_project(project)
    panel.wait_until(lambda: panel.find("queueTable").rowCount == 3)
    panel.click("nextButton")
    wait_for(panel, "small_3")
    assert review(panel).scene.volume is not other
    panel.click("acceptButton")
    wait_for(panel, "small_2")
    assert slicer.mrmlScene.IsNodePresent(other)


def test_a_case_of_the_queue_opens_by_double_click(opened: OpenPanel) -> None:
    opened.find("queueTable").cellDoubleClicked.emit(2, 0)
    wait_for(opened, "small_4")


def test_the_last_decision_leaves_an_empty_screen_and_says_so(opened: OpenPanel) -> None:
    for following in ("small_2", "small_4"):
        opened.click("acceptButton")
        wait_for(opened, following)
    opened.click("acceptButton")
    opened.wait_until(lambda: review(opened).desk.case is None)
    opened.wait_until(lambda: opened.find("queueTable").rowCount == 0)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert "Train a model first" in opened.find("queueLabel").text  # none of the project's own proposed


def test_proposals_that_are_being_made_are_told(opened: OpenPanel, project: Project) -> None:
    from medssl.events import Progress

    job = ActedJob(project, {"kind": "propose", "model": "model-1"})
    job.report(Progress(stage="propose", done=2, total=3, left_s=40.0))
    opened.session.jobs.refresh()
    opened.wait_until(lambda: "Proposing 2 / 3, 40 s" in opened.find("queueLabel").text)
    job.end("cancelled")
    opened.wait_until(lambda: "3 proposals wait" in opened.find("queueLabel").text)
