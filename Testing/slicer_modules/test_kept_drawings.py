"""Drawings that the engine could not take: kept in files, and offered at the next start of Slicer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from learning import project_with_proposals
from medssl.client import Client, EngineError, Project
from MedSSLLib import asking, kept_drawings
from MedSSLLib.drawings import DrawingFacts
from MedSSLLib.grids import Grid
from MedSSLLib.problems import Problem
from panels import OpenPanel


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """'small_1' is annotated, and a model proposed something for 'small_3'."""
    return project_with_proposals(engine, small_dataset, "small_3")


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    """A panel with the project open."""
    panel.ready()
    panel.session.set_project(project)
    return panel


def show(panel: OpenPanel, section: str, name: str) -> Any:
    """Open a case in a section; returns its desk."""
    client, key = panel.session.client, panel.session.project.key
    found = panel.widget.panel.views[section].logic
    found.open(client.case(key, name).id)
    panel.wait_until(lambda: found.desk.case is not None, 60)
    return found.desk


def draw(scene: Any, segment: str = "") -> None:
    """Fill a corner of the scan with a segment."""
    segment = segment or scene.segmentation.GetSegmentation().GetNthSegmentID(0)
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(scene.segmentation, segment, scene.volume)
    drawn = np.zeros(scene.grid.shape, np.uint8) if drawn is None else drawn.copy()
    drawn[0, :3, :3] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, scene.segmentation, segment, scene.volume)


def end_slicer_without_an_engine(panel: OpenPanel) -> None:
    """The engine goes, and Slicer ends after it."""
    panel.session.set_client(None)
    panel.close()


def leave_the_screen_without_an_engine(panel: OpenPanel, project: Project) -> kept_drawings.KeptDrawing:
    """The engine goes, and the scene is closed after it; returns what is kept of the drawing."""
    panel.session.set_client(None)
    slicer.mrmlScene.Clear(0)
    panel.wait_until(lambda: "3D Slicer may be closed" in panel.message)
    (kept,) = kept_drawings.kept(project.key)
    return kept


def settled(panel: OpenPanel) -> None:
    panel.wait_until(lambda: not panel.session.background._pending, 60)


def start_again(panel: OpenPanel, project: Project) -> None:
    panel.reopen()
    panel.ready()
    panel.session.set_project(project)


def newest(client: Client, project: Project, name: str) -> np.ndarray:
    """The label map of the newest annotation."""
    case = client.case(project.key, name)
    assert case.annotation is not None
    return sitk.GetArrayFromImage(sitk.ReadImage(case.annotation.path))


@pytest.mark.parametrize(("section", "name"), [("annotate", "small_1"), ("review", "small_3")])
def test_what_is_drawn_when_slicer_ends_without_an_engine_is_saved_after_the_next_start(
    opened: OpenPanel, project: Project, engine: Client, section: str, name: str
) -> None:
    draw(show(opened, section, name).scene)
    before = len(engine.annotations(project.key, engine.case(project.key, name).id))
    end_slicer_without_an_engine(opened)
    (kept,) = kept_drawings.kept(project.key)
    assert kept.facts.name == name
    start_again(opened, project)  # asks; under testing it saves
    case = engine.case(project.key, name).id
    opened.wait_until(lambda: len(engine.annotations(project.key, case)) == before + 1, 60)
    assert (newest(engine, project, name)[0, :3, :3] == 1).all()
    if section == "review":
        assert engine.annotations(project.key, case)[-1].kind == "corrected"
    opened.wait_until(lambda: not kept.folder.exists())
    opened.wait_until(lambda: "was saved" in opened.message)


def test_one_sentence_says_where_a_drawing_is_while_the_engine_is_away(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    draw(show(opened, "annotate", "small_1").scene)
    opened.session.set_client(None)
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: "not saved in the project yet" in opened.message)
    assert "3D Slicer may be closed" in opened.message
    (kept,) = kept_drawings.kept(project.key)
    opened.session.set_client(engine, shares_disk=True)  # and it is saved without a question
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
    opened.wait_until(lambda: not kept.folder.exists())


def test_what_the_engine_notes_on_a_kept_drawing_is_told(opened: OpenPanel, project: Project) -> None:
    draw(show(opened, "annotate", "small_1").scene)
    end_slicer_without_an_engine(opened)
    (kept,) = kept_drawings.kept(project.key)
    voxels = str(kept.folder / "drawing.nrrd")
    moved = sitk.ReadImage(voxels)
    moved.SetOrigin([at + 0.3 * step for at, step in zip(moved.GetOrigin(), moved.GetSpacing(), strict=True)])
    sitk.WriteImage(moved, voxels)
    start_again(opened, project)
    opened.wait_until(lambda: "What was drawn on small_1 was saved." in opened.message, 60)
    assert "got the nearest one's label" in opened.message


def test_a_segment_that_the_project_lacks_is_kept_as_well(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    scene = show(opened, "annotate", "small_1").scene
    draw(scene, scene.segmentation.GetSegmentation().AddEmptySegment("cyst", "Cyst", (1.0, 0.0, 0.0)))
    end_slicer_without_an_engine(opened)
    start_again(opened, project)
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
    cyst = engine.project(project.key).segments[-1]
    assert (cyst.name, cyst.colour) == ("Cyst", (255, 0, 0))
    assert (newest(engine, project, "small_1")[0, :3, :3] == cyst.value).all()
    opened.wait_until(lambda: len(opened.session.project.segments) == len(project.segments) + 1)


def draw_twice(scene: Any, *names: str) -> None:
    """Draw on two new segments, one in each of the first slices."""
    for place, name in enumerate(names):
        segment = scene.segmentation.GetSegmentation().AddEmptySegment("", name, (1.0, 0.0, 0.0))
        drawn = np.zeros(scene.grid.shape, np.uint8)
        drawn[place, :3, :3] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, scene.segmentation, segment, scene.volume)


@pytest.mark.parametrize(
    ("names", "kept"),
    [(("Cyst", "Cyst"), ("Cyst", "Cyst 2")), (("Cyst", "cyst"), ("Cyst", "cyst 2")),
     (("Not annotated", " "), ("Not annotated 2", "Segment"))],
)  # fmt: skip
def test_segments_whose_names_no_project_can_have_are_kept_under_others(
    opened: OpenPanel, project: Project, engine: Client, names: tuple[str, str], kept: tuple[str, str]
) -> None:
    draw_twice(show(opened, "annotate", "small_1").scene, *names)
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
    added = engine.project(project.key).segments[len(project.segments) :]
    assert tuple(each.name for each in added) == kept
    saved = newest(engine, project, "small_1")
    for place, each in enumerate(added):
        assert (saved[place, :3, :3] == each.value).all()


def test_two_segments_of_one_name_that_an_earlier_version_kept_are_told_apart(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    draw_twice(show(opened, "annotate", "small_1").scene, "Cyst", "Wall")
    end_slicer_without_an_engine(opened)
    (kept,) = kept_drawings.kept(project.key)
    facts = kept.folder / "drawing.json"
    facts.write_text(facts.read_text().replace("Wall", "Cyst"))
    start_again(opened, project)
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
    assert [each.name for each in engine.project(project.key).segments[-2:]] == ["Cyst", "Cyst 2"]


def test_why_the_engine_does_not_take_a_drawing_is_told_with_the_folder_that_has_it(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object, **_named: object) -> None:
        raise EngineError("usage", "The disk is full.", "Free some space.")

    draw(show(opened, "annotate", "small_1").scene)
    monkeypatch.setattr(opened.session.client, "save_annotation", refuse)
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: "not saved in the project yet" in opened.message)
    (kept,) = kept_drawings.kept(project.key)
    assert "The disk is full. Free some space." in opened.message
    assert str(kept.folder) in opened.message
    assert "when the engine answers" not in opened.message


def test_a_drawing_that_the_network_kept_back_is_sent_as_soon_as_the_engine_answers_and_told_of_once(
    opened: OpenPanel, project: Project, engine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    def keep_back(*_given: object, **_named: object) -> None:
        attempts.append(len(attempts))
        raise EngineError("timeout", "The engine at X takes too long.", "Try again.")

    draw(show(opened, "annotate", "small_1").scene)
    opened.session.safety._again.interval = 1
    with monkeypatch.context() as broken:
        broken.setattr(opened.session.client, "save_annotation", keep_back)
        slicer.mrmlScene.Clear(0)
        opened.wait_until(lambda: "saved when the engine answers" in opened.message)
        opened.session.say("Something else.")
        opened.wait_until(lambda: len(attempts) > 2)
        assert opened.message == "Something else."
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
    opened.wait_until(lambda: opened.message == "What was drawn on small_1 was saved.")
    assert not kept_drawings.kept(project.key)


@pytest.mark.parametrize("button", [1, 2])
def test_a_kept_drawing_is_discarded_or_asked_about_again(
    opened: OpenPanel, project: Project, engine: Client, monkeypatch: pytest.MonkeyPatch, button: int
) -> None:
    draw(show(opened, "annotate", "small_1").scene)
    end_slicer_without_an_engine(opened)
    asked: list[str] = []

    def choose(_title: str, text: str, *_: object, **_more: object) -> int:
        asked.append(text)
        return button

    monkeypatch.setattr(asking, "choose", choose)
    start_again(opened, project)
    opened.wait_until(lambda: asked, 60)
    assert "small_1" in asked[0]
    opened.wait_until(lambda: not opened.session.background._pending)
    opened.session.set_project(None)
    opened.session.set_project(project)
    opened.wait_until(lambda: not opened.session.background._pending)
    assert len(asked) == 1
    assert len(kept_drawings.kept(project.key)) == (0 if button == 1 else 1)
    assert engine.case(project.key, "small_1").annotation.version == 1


def test_a_drawing_that_was_deleted_meanwhile_is_told_of_once(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    draw(show(opened, "annotate", "small_1").scene)
    kept = leave_the_screen_without_an_engine(opened, project)
    shutil.rmtree(kept.folder)
    opened.session.set_client(engine, shares_disk=True)
    opened.wait_until(lambda: f"{kept.folder} was deleted" in opened.message)
    opened.session.say("Something else.")
    opened.session.engine_changed.emit()
    settled(opened)
    assert opened.message == "Something else."


def test_a_drawing_whose_writing_was_cut_off_or_damaged_is_not_offered(
    opened: OpenPanel, project: Project
) -> None:
    home = kept_drawings._home()
    for name, text in (("no facts", None), ("damaged", "{"), ("another", '{"project": 1}')):
        (home / name).mkdir(parents=True)
        if text is not None:
            (home / name / "drawing.json").write_text(text)
    assert kept_drawings.kept(project.key) == ()


def test_nothing_stays_of_a_drawing_whose_voxels_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(kept_drawings, "_home", lambda: tmp_path / "drawings")
    keeper = kept_drawings.Keeper()
    facts, labels = DrawingFacts("p", 1, "scan", None, "me", 1.0), np.zeros((20, 20, 20), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # so that a real disk refuses the rest
    try:
        with pytest.raises(Problem, match="cannot be written"):
            keeper.keep(facts, labels, Grid((20, 20, 20), np.eye(4)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((tmp_path / "drawings").iterdir())


def test_a_disk_that_is_full_keeps_a_drawing_in_memory_and_says_so(
    opened: OpenPanel, project: Project, engine: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(kept_drawings, "_home", lambda: tmp_path / "a file" / "folder")
    draw(show(opened, "annotate", "small_1").scene)
    opened.session.set_client(None)
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: "do not close 3D Slicer" in opened.message)
    opened.session.set_client(engine, shares_disk=True)
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
