"""What 'Grow from seeds' previews is saved when the person wants it, and never gets to another case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotating import BRIGHT, draw, logic, open_boxes, open_next, save, saved, versions
from MedSSLLib import asking, effect_preview
from panels import OpenPanel

APPLY, LEAVE_OUT, STAY = range(3)
SEEDS = np.zeros(BRIGHT.shape, np.uint8)
SEEDS[5, 8:12, 10:14] = 1
SEEDS[0], SEEDS[-1], SEEDS[:, :2], SEEDS[:, -2:] = 2, 2, 2, 2


@pytest.fixture
def opened(panel: OpenPanel, tmp_path: Path) -> OpenPanel:
    return open_boxes(panel, tmp_path)


def preview(panel: OpenPanel) -> Any:
    """Draw seeds on the case that is on the screen, and have them grown; returns the preview's node."""
    scene, editor = logic(panel).desk.scene, panel.session.editor.widget
    for value in (1, 2):
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            (value == SEEDS).astype(np.uint8), scene.segmentation, f"Segment_{value}", scene.volume
        )
    editor.setActiveEffectByName("Grow from seeds")
    editor.activeEffect().self().onPreview()
    editor.setActiveEffectByName("Paint")  # as a person does who adds a seed: the preview stays
    found = effect_preview.preview_of(editor)
    assert slicer.mrmlScene.IsNodePresent(found)
    return found


def answer(monkeypatch: pytest.MonkeyPatch, place: int) -> list[str]:
    """Answer what is asked about the preview, and save where anything else is asked."""
    asked: list[str] = []

    def choose(_title: str, text: str, *_: object, while_testing: int, **_more: object) -> int:
        if "preview" not in text:
            return while_testing
        asked.append(text)
        return place

    monkeypatch.setattr(asking, "choose", choose)
    return asked


@pytest.mark.parametrize("place", [APPLY, LEAVE_OUT])
def test_what_is_previewed_is_saved_or_left_out_as_the_person_answers(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    asked, name = answer(monkeypatch, place), open_next(opened)
    node = preview(opened)
    save(opened, name, 1)
    assert len(asked) == 1
    assert "'Grow from seeds'" in asked[0]
    wanted = np.where(BRIGHT, 1, 2) if place == APPLY else SEEDS
    assert np.array_equal(saved(opened, name), wanted)
    assert not slicer.mrmlScene.IsNodePresent(node)


def test_who_stays_with_a_preview_saves_nothing_yet_and_sees_no_other_case(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, name = answer(monkeypatch, STAY), open_next(opened)
    node = preview(opened)
    opened.click("saveAnnotationButton")
    opened.click("closeCaseButton")
    assert len(asked) == 2
    assert logic(opened).desk.case.name == name
    assert slicer.mrmlScene.IsNodePresent(node)
    assert not versions(opened, name)


def test_a_preview_that_is_left_out_does_not_come_to_the_next_case(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, first = answer(monkeypatch, LEAVE_OUT), open_next(opened)
    draw(opened)
    save(opened, first, 1)
    segmentation = logic(opened).desk.scene.segmentation.GetSegmentation()
    segmentation.AddEmptySegment("mine", "Mine", (1.0, 0.0, 0.0))  # of this case alone
    node = preview(opened)
    assert node.GetSegmentation().GetSegment("mine") is not None
    opened.wait_until(lambda: opened.find("nextCaseButton").enabled)
    opened.click("nextCaseButton")
    opened.wait_until(lambda: logic(opened).desk.case.name != first)
    assert len(asked) == 1
    assert not slicer.mrmlScene.IsNodePresent(node)
    assert preview(opened).GetSegmentation().GetSegment("mine") is None


@pytest.mark.parametrize("gone", ["the scan", "the whole scene"])
def test_what_is_previewed_on_a_case_that_leaves_the_scene_is_kept(opened: OpenPanel, gone: str) -> None:
    name = open_next(opened)
    node = preview(opened)
    if gone == "the scan":
        slicer.mrmlScene.RemoveNode(logic(opened).desk.scene.volume)
    else:
        slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: len(versions(opened, name)) == 1)
    assert np.array_equal(saved(opened, name), np.where(BRIGHT, 1, 2))
    assert not slicer.mrmlScene.IsNodePresent(node)


def test_a_preview_that_its_effect_cannot_apply_is_told_and_what_is_drawn_is_kept(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = open_next(opened)
    preview(opened)
    effect = opened.session.editor.widget.effectByName("Grow from seeds").self()
    monkeypatch.setattr(effect, "onApply", lambda: 1 / 0)
    opened.click("saveAnnotationButton")
    assert "The preview of 'Grow from seeds' cannot be applied: division by zero." in opened.message
    assert not versions(opened, name)
    logic(opened).desk.give_way()  # the case cannot stay
    opened.wait_until(lambda: len(versions(opened, name)) == 1)
    assert np.array_equal(saved(opened, name), SEEDS)


def test_a_preview_that_went_while_it_was_asked_about_is_no_error(
    opened: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = open_next(opened)
    preview(opened)

    def choose(*_: object, **_more: object) -> int:
        effect_preview.drop(opened.session.editor.widget)
        return APPLY

    monkeypatch.setattr(asking, "choose", choose)
    save(opened, name, 1)
    assert np.array_equal(saved(opened, name), SEEDS)


def test_an_editor_that_lets_go_takes_the_preview_of_an_unknown_effect_away(opened: OpenPanel) -> None:
    open_next(opened)
    draw(opened)
    editor, node = opened.session.editor, slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    state = editor.widget.mrmlSegmentEditorNode()
    state.SetNodeReferenceID("SegmentationResultPreview", node.GetID())
    state.SetAttribute("SegmentationResultPreviewOwnerEffect", "Of an extension")
    editor.release()
    assert not slicer.mrmlScene.IsNodePresent(node)
    assert effect_preview.preview_of(editor.widget) is None
    assert not state.GetAttribute("SegmentationResultPreviewOwnerEffect")
