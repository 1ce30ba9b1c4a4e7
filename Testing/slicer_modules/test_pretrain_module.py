"""The module MedSSL Pretrain: choices, curves, and an encoder that the next training begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slicer
import slicer_runtime
from learning import ActedEngine, ActedJob, new_project, register_model
from medssl.client import Client, Project
from medssl.events import Metric, Progress
from panels import ROOT, OpenPanel

PRETRAIN = {"kind": "pretrain", "settings": {"method": "jigsaw", "seconds": 60.0}}


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    return new_project(engine, small_dataset, annotated=0, validation=0)


@pytest.fixture
def opened(
    runtime: slicer_runtime.Runtime, engine: Client, wait_until: Callable[..., None], project: Project
) -> Iterator[OpenPanel]:
    """The module, just opened, with a project that nobody annotated."""
    import qt

    qt.QSettings().clear()
    panel = OpenPanel(runtime, "MedSSLPretrain", wait_until)
    panel.ready()
    panel.session.set_project(project)
    panel.wait_until(lambda: panel.find("startButton").enabled)
    yield panel
    panel.close()


def test_without_a_project_the_panel_says_what_is_missing_and_offers_those_of_before(
    runtime: slicer_runtime.Runtime, engine: Client, wait_until: Callable[..., None], project: Project
) -> None:
    import qt

    qt.QSettings().clear()
    panel = OpenPanel(runtime, "MedSSLPretrain", wait_until)
    panel.ready()
    panel.wait_until(lambda: "Choose a project" in panel.find("pretrainObstacleLabel").text)
    combo = panel.find("projectCombo")
    panel.wait_until(lambda: combo.count > 1)
    folders = [combo.itemData(line, qt.Qt.ToolTipRole) for line in range(combo.count)]
    combo.currentIndex = folders.index(project.folder)
    combo.textActivated.emit(combo.currentText)
    panel.wait_until(lambda: panel.find("startButton").enabled)
    assert panel.session.project.key == project.key
    # The next time, the module finds it by itself.
    panel.reopen()
    panel.wait_until(lambda: panel.session.project is not None)
    panel.close()


def test_the_project_that_the_other_module_has_open_is_chosen_here_too(
    runtime: slicer_runtime.Runtime, engine: Client, wait_until: Callable[..., None], project: Project
) -> None:
    import qt

    qt.QSettings().clear()
    segment = OpenPanel(runtime, "MedSSLSegment", wait_until)
    segment.ready()
    segment.session.set_project(project)
    runtime.load_module(ROOT / "MedSSLPretrain" / "MedSSLPretrain.py")
    slicer.util.selectModule("MedSSLPretrain")
    (combo,) = slicer.util.findChildren(slicer.modules.MedSSLPretrainWidget.parent, name="projectCombo")
    wait_until(lambda: combo.currentText == project.name)
    runtime.modules.unload("MedSSLPretrain")
    segment.close()


def test_each_of_the_six_methods_is_explained_in_a_sentence(opened: OpenPanel) -> None:
    box, told = opened.find("taskBox"), set()
    assert box.count == 6
    for line in range(6):
        box.currentIndex = line
        told.add(opened.find("taskSentenceLabel").text)
    assert len(told) == 6
    assert all(sentence.endswith(".") for sentence in told)


def test_the_cases_of_the_project_are_learned_from(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    assert opened.find("sourceBox").currentText == "The scans of the project Kidneys (6)"
    box = opened.find("taskBox")
    box.currentIndex = box.findData("rotation")
    opened.find("effortBox").currentIndex = 0
    opened.click("startButton")
    opened.wait_until(lambda: acted.jobs, 90)
    assert "scans" not in acted.asked[0]
    assert acted.asked[0]["settings"]["method"] == "rotation"
    assert acted.asked[0]["settings"]["seconds"] == 120.0
    acted.jobs[0].end("cancelled")


def test_or_any_folder_of_scans(
    opened: OpenPanel, project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    opened.find("sourceBox").currentIndex = 1
    assert not opened.find("startButton").enabled
    opened.find("folderEdit").currentPath = str(small_dataset / "imagesTr")
    opened.click("startButton")
    opened.wait_until(lambda: acted.jobs, 90)
    assert acted.asked[0]["scans"] == str(small_dataset / "imagesTr")
    acted.jobs[0].end("cancelled")


def test_a_folder_is_sent_to_an_engine_on_another_computer(
    opened: OpenPanel, project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    opened.session.set_client(opened.session.client, shares_disk=False)
    box = opened.find("sourceBox")
    box.currentIndex = box.findData("folder")
    opened.find("folderEdit").currentPath = str(small_dataset / "imagesTs")
    opened.click("startButton")
    opened.wait_until(lambda: acted.jobs, 90)
    sent = Path(acted.asked[0]["scans"])
    assert sent != small_dataset / "imagesTs"
    assert {path.name for path in sent.iterdir()} == {"small_7.nii.gz", "small_8.nii.gz"}
    acted.jobs[0].end("cancelled")


def test_the_pretraining_shows_where_it_is_and_its_curves(opened: OpenPanel, project: Project) -> None:
    job = ActedJob(project, PRETRAIN)
    job.report(Progress(stage="Pretraining", done=10, total=40, left_s=90.0))
    for step in (1, 2, 3):
        job.report(Metric(name="loss", value=3.0 / step, step=step))
    opened.session.jobs.refresh()
    opened.wait_until(lambda: opened.find("runTitleLabel").text == "<b>Jigsaw puzzle</b> · step 10 / 40")
    opened.wait_until(lambda: opened.find("lossLabel").text == "loss 1")
    opened.click("showCurvesButton")
    series = slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode")
    assert [each.GetName() for each in series] == ["loss"]
    opened.click("cancelButton")
    opened.wait_until(lambda: (job.folder / "cancel").exists())
    job.end("cancelled")


def test_an_encoder_is_what_the_next_training_begins_with(
    opened: OpenPanel, project: Project, runtime: slicer_runtime.Runtime
) -> None:
    model = register_model(project, name="My encoder", method="jigsaw", heads=(), unannotated_cases=6)
    opened.session.models_changed.emit()
    opened.wait_until(lambda: opened.find("encodersTable").rowCount == 1)
    assert opened.find("encodersTable").item(0, 1).text() == "6 scans, 5 s"
    opened.click("useButton")
    assert opened.find("encodersTable").item(0, 2).text() == "✓"
    runtime.load_module(Path(__file__).parents[2] / "MedSSLSegment" / "MedSSLSegment.py")
    slicer.util.selectModule("MedSSLSegment")
    segment = slicer.modules.MedSSLSegmentWidget
    box = slicer.util.findChildren(segment.parent, name="startBox")[0]
    opened.wait_until(lambda: box.itemData(box.currentIndex) == model)
    assert box.currentText.startswith("Pretrained: My encoder, ")
    slicer.util.selectModule("MedSSLPretrain")
    runtime.modules.unload("MedSSLSegment")
