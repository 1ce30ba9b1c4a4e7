"""The section Apply: one volume by a real model, a folder whose scans are told one by one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer
import vtk
from learning import ActedEngine, ActedJob, new_project, register_model, run
from medssl.client import Client, EngineError, Job, Project
from medssl.events import Progress, Row
from panels import OpenPanel


@pytest.fixture(scope="module")
def trained(engine: Client, small_dataset: Path) -> Project:
    """A project with a model that had a second."""
    project = new_project(engine, small_dataset)
    settings = {"method": "supervised", "seconds": 1.0, "device": "cpu"}
    run(engine, project.key, {"kind": "train", "settings": settings})
    return project


def open_section(panel: OpenPanel, project: Project) -> None:
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("apply")
    panel.wait_until(lambda: panel.find("applyModelBox").count > 0)


@pytest.fixture
def acted(panel: OpenPanel, project: Project, acted: ActedEngine) -> ActedEngine:
    """The engine that only acts, with the section open."""
    open_section(panel, project)
    return acted


def add_scan(dataset: Path, name: str) -> object:
    """Put a new scan into the scene, as loading a file does."""
    from MedSSLLib.volumes import add_volume
    from MedSSLLib.voxel_files import read_volume

    return add_volume(read_volume(dataset / "imagesTs" / "small_7.nii.gz"), name)


def test_a_volume_of_the_scene_is_segmented_where_its_transform_put_it(
    panel: OpenPanel, trained: Project, small_dataset: Path
) -> None:
    open_section(panel, trained)
    volume = add_scan(small_dataset, "New scan")
    moved = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 100.0)
    moved.SetMatrixTransformToParent(matrix)
    volume.SetAndObserveTransformNodeID(moved.GetID())
    panel.find("volumeSelector").setCurrentNode(volume)
    panel.click("segmentVolumeButton")
    panel.wait_until(lambda: panel.find("volumeBusyLabel").text != "")
    panel.wait_until(lambda: panel.find("volumeOutcomeLabel").text != "", 100)
    assert panel.find("volumeOutcomeLabel").text.startswith("Kidney ")
    shown = panel.widget.panel.views["apply"].volume.last
    assert shown.GetName() == "New scan segmented"
    assert volume.GetTransformNodeID() == moved.GetID()
    bounds, of_volume = [0.0] * 6, [0.0] * 6
    shown.GetRASBounds(bounds)
    volume.GetRASBounds(of_volume)
    if bounds[0] <= bounds[1]:  # a second of training may have found nothing
        assert of_volume[0] - 5 < bounds[0] < bounds[1] < of_volume[1] + 5
    # Nothing is left of what was sent.
    panel.wait_until(lambda: not list((Path(trained.folder) / "cache").rglob("scan.nrrd")))


def test_a_volume_that_left_the_scene_meanwhile_is_said_to_be_gone(
    panel: OpenPanel, acted: ActedEngine, small_dataset: Path
) -> None:
    volume = add_scan(small_dataset, "New scan")
    output = begin(panel, acted, volume)
    slicer.mrmlScene.RemoveNode(volume)
    finish(acted.jobs[0], output, small_dataset)
    panel.wait_until(lambda: "left the scene" in panel.find("volumeOutcomeLabel").text)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def begin(panel: OpenPanel, acted: ActedEngine, volume: object) -> Path:
    """Begin to segment a volume; returns where its segmentation is to be written."""
    panel.find("volumeSelector").setCurrentNode(volume)
    panel.click("segmentVolumeButton")
    panel.wait_until(lambda: acted.jobs)
    output = Path(str(acted.asked[-1]["output"]))
    output.mkdir(parents=True)
    return output


def finish(job: ActedJob, output: Path, dataset: Path, **more: Any) -> None:
    """Let a model segment the volume."""
    write_labels(output / "scan.seg.nrrd", dataset)
    job.report(Row(name="scan", state="done", output="scan.seg.nrrd", **more))
    job.end(**result(output))


def test_the_next_patients_volume_of_the_same_name_gets_no_segmentation_of_the_last_one(
    panel: OpenPanel, acted: ActedEngine, small_dataset: Path
) -> None:
    volume = add_scan(small_dataset, "T1")
    before = volume.GetID()
    output = begin(panel, acted, volume)
    del volume
    slicer.mrmlScene.Clear(0)
    assert add_scan(small_dataset, "T1").GetID() == before
    finish(acted.jobs[0], output, small_dataset)
    panel.wait_until(lambda: "T1 left the scene" in panel.find("volumeOutcomeLabel").text)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_a_volume_that_was_renamed_is_still_the_same_volume(
    panel: OpenPanel, acted: ActedEngine, small_dataset: Path
) -> None:
    volume = add_scan(small_dataset, "T1")
    output = begin(panel, acted, volume)
    volume.SetName("T1 of March")
    finish(acted.jobs[0], output, small_dataset)
    panel.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    assert panel.widget.panel.views["apply"].volume.last.GetName() == "T1 of March segmented"


def test_a_note_on_a_volume_comes_with_its_segmentation_and_names_it_as_the_scene_does(
    panel: OpenPanel, acted: ActedEngine, small_dataset: Path
) -> None:
    output = begin(panel, acted, add_scan(small_dataset, "T1"))
    (file,) = acted.asked[-1]["inputs"]
    told = {"volumes_ml": {"Kidney": 3.2}, "note": f"{file}: 3 voxels were not finite numbers."}
    finish(acted.jobs[0], output, small_dataset, source=file, **told)
    panel.wait_until(lambda: "Kidney" in panel.find("volumeOutcomeLabel").text)
    shown = panel.find("volumeOutcomeLabel").text
    assert shown == "Kidney 3.2 ml\nT1: 3 voxels were not finite numbers."


def test_a_job_that_is_resumed_as_it_ends_is_not_called_cancelled(
    panel: OpenPanel,
    acted: ActedEngine,
    project: Project,
    small_dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = begin(panel, acted, add_scan(small_dataset, "T1"))
    panel.wait_until(lambda: panel.widget.panel.views["apply"].volume.busy.startswith("Segmenting"))
    asked, answers = Client.job, iter(["running"])

    def job(client: Client, project: str, job: str) -> Job:
        described = asked(client, project, job)
        return dataclasses.replace(described, state=next(answers, described.state))

    monkeypatch.setattr(Client, "job", job)
    finish(acted.jobs[0], output, small_dataset)
    panel.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))


def test_a_segmentation_that_ended_while_nobody_listened_is_shown(
    panel: OpenPanel, acted: ActedEngine, project: Project, small_dataset: Path
) -> None:
    output = begin(panel, acted, add_scan(small_dataset, "T1"))
    jobs = panel.session.jobs
    panel.wait_until(lambda: jobs.tracks and jobs.tracks[0].last)
    ends: list[str] = []
    jobs.ended.connect(lambda track: ends.append(track.job.id))
    jobs.close()  # as when the engine's address changes
    finish(acted.jobs[0], output, small_dataset)
    jobs.refresh()
    panel.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    for _ in range(3):
        answers: list[object] = []
        jobs.refresh()
        panel.session.ask(lambda client: client.jobs(project.key), answers.append)
        panel.wait_until(lambda answers=answers: answers)
    assert ends == [acted.jobs[0].id]


def test_a_volume_of_another_project_waits_until_that_project_is_open_again(
    panel: OpenPanel, acted: ActedEngine, project: Project, engine: Client, small_dataset: Path
) -> None:
    output = begin(panel, acted, add_scan(small_dataset, "T1"))
    other = engine.create_project("Spleens", {1: "Spleen"}, folder=f"{project.folder} of others")
    register_model(other)
    panel.session.set_project(other)
    panel.wait_until(lambda: f"T1 is still being segmented in the project '{project.name}'." in panel.message)
    panel.wait_until(lambda: panel.find("segmentVolumeButton").enabled)
    assert not panel.find("cancelVolumeButton").enabled
    finish(acted.jobs[0], output, small_dataset)
    panel.session.set_project(project)
    panel.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    (shown,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert shown.GetSegmentation().GetNthSegment(0).GetName() == project.segments[0].name
    assert panel.find("segmentVolumeButton").enabled


def test_a_segmentation_is_cancelled_after_its_project_is_open_again(
    panel: OpenPanel,
    acted: ActedEngine,
    project: Project,
    engine: Client,
    small_dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin(panel, acted, add_scan(small_dataset, "T1"))
    panel.wait_until(lambda: panel.widget.panel.views["apply"].volume.busy.startswith("Segmenting"))
    panel.session.set_project(new_project(engine, small_dataset))
    panel.session.set_project(project)
    cancelled: list[tuple[str, str]] = []
    monkeypatch.setattr(Client, "cancel", lambda client, key, job: cancelled.append((key, job)))
    panel.click("cancelVolumeButton")
    panel.wait_until(lambda: cancelled == [(project.key, acted.jobs[0].id)])
    acted.jobs[0].end("cancelled")
    panel.wait_until(lambda: panel.find("volumeOutcomeLabel").text == "The segmentation was cancelled.")
    assert panel.find("segmentVolumeButton").enabled


def test_a_segmentation_that_was_over_before_anyone_could_listen_is_shown(
    panel: OpenPanel, acted: ActedEngine, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Client.submit

    def slow(client: Client, key: str, request: Mapping[str, object]) -> Job:
        job = submit(client, key, request)
        output = Path(str(request["output"]))
        output.mkdir(parents=True)
        write_labels(output / "scan.seg.nrrd", small_dataset)
        acted.jobs[0].report(Row(name="scan", state="done", output="scan.seg.nrrd"))
        acted.jobs[0].end(**result(output))
        for _ in range(1000):
            track = panel.session.jobs.track(job.id)
            if track is not None and track.over and track.job.ended is not None:
                break
            time.sleep(0.02)
        return job

    monkeypatch.setattr(Client, "submit", slow)
    panel.find("volumeSelector").setCurrentNode(add_scan(small_dataset, "New scan"))
    panel.click("segmentVolumeButton")
    panel.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), 40.0)


def test_a_color_volume_is_refused_in_one_sentence(panel: OpenPanel, project: Project) -> None:
    open_section(panel, project)
    node = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.uint8), name="Photo")
    image = vtk.vtkImageData()
    image.SetDimensions(6, 5, 4)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    panel.find("volumeSelector").setCurrentNode(node)
    panel.click("segmentVolumeButton")
    assert "'Photo' holds 3 values a voxel" in panel.message


def test_a_folder_fills_the_table_scan_by_scan(
    panel: OpenPanel, acted: ActedEngine, small_dataset: Path, tmp_path: Path
) -> None:
    assert not panel.find("segmentFolderButton").enabled
    scans, output = small_dataset / "imagesTs", tmp_path / "results"
    panel.find("scansEdit").currentPath = str(scans)
    panel.find("outputEdit").currentPath = str(output)
    panel.find("recursiveBox").checked = False
    panel.click("segmentFolderButton")
    panel.wait_until(lambda: acted.jobs)
    asked = acted.asked[0]
    assert (asked["inputs"], asked["output"]) == ([str(scans)], str(output))
    assert (asked["format"], asked["recursive"], asked["skip_done"]) == ("seg.nrrd", False, True)
    job, table = acted.jobs[0], panel.find("rowsTable")
    output.mkdir()
    write_labels(output / "small_7.seg.nrrd", small_dataset)
    done = Row(
        name="small_7",
        state="done",
        volumes_ml={"Kidney": 120.4, "Renal pelvis": 9.8},
        uncertainty=0.07,
        worst_slice=4,
        source=str(scans / "small_7.nii.gz"),
        output="small_7.seg.nrrd",
    )
    job.report(done, Progress(stage="segment", done=1, total=2, left_s=30.0))
    panel.wait_until(lambda: table.rowCount == 1)
    assert [table.item(0, n).text() for n in range(4)] == ["small_7", "done", "120.4 / 9.8", "0.07"]
    panel.wait_until(lambda: panel.find("folderStateLabel").text == "Segmenting 1 / 2, 30 s left")
    job.report(Row(name="broken", state="failed", note="broken.nii.gz cannot be read."))
    job.end(**result(output))
    panel.wait_until(lambda: panel.find("folderStateLabel").text == "Finished: 1 done, 1 failed.")
    assert table.item(1, 0).toolTip() == "broken.nii.gz cannot be read."
    panel.wait_until(lambda: panel.find("reportButton").enabled)
    # A double click brings the scan with its segmentation into the scene.
    table.cellDoubleClicked.emit(0, 0)
    panel.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    assert slicer.util.getNode("small_7").IsA("vtkMRMLScalarVolumeNode")
    assert slicer.util.getNode("small_7 segmented").GetSegmentation().GetNumberOfSegments() == 2
    panel.click("reportButton")


def test_a_note_on_a_scan_of_a_folder_is_announced_and_can_be_read(
    panel: OpenPanel, project: Project, tmp_path: Path
) -> None:
    request = {"kind": "predict", "inputs": [str(tmp_path)], "output": str(tmp_path / "out"), "model": "m"}
    job, note = (
        ActedJob(project, request),
        "3 voxels of two.nii.gz have no number; the smallest one stands for them.",
    )
    volumes = {"Kidney": 120.4}
    job.report(Row(name="one", state="done", volumes_ml=volumes))
    job.report(Row(name="two", state="done", volumes_ml=volumes, note=note))
    job.report(Row(name="wrong", state="failed", note="wrong.nii.gz cannot be read."))
    job.end(**result(tmp_path / "out"))
    open_section(panel, project)
    table, label = panel.find("rowsTable"), panel.find("rowNoteLabel")
    panel.wait_until(lambda: table.rowCount == 3)
    assert [table.item(row, 1).text() for row in range(3)] == ["done", "done, with a note", "failed"]
    counted = "Finished: 2 done, 1 failed. One has a note: select it to read it."
    assert panel.find("folderStateLabel").text == counted
    table.selectRow(1)
    assert label.text == note
    tip = table.item(1, 1).toolTip()
    assert tip == f"{note}\nKidney 120.40 ml"
    assert table.item(1, 1).data(qt.Qt.AccessibleDescriptionRole) == tip


def test_whoever_comes_back_finds_the_table_of_the_folder(
    panel: OpenPanel, project: Project, tmp_path: Path
) -> None:
    request = {"kind": "predict", "inputs": [str(tmp_path)], "output": str(tmp_path / "out"), "model": "m"}
    job = ActedJob(project, request)
    job.report(Row(name="one", state="done"), Row(name="two", state="skipped"))
    job.end(**result(tmp_path / "out"))
    open_section(panel, project)
    panel.wait_until(lambda: panel.find("rowsTable").rowCount == 2)
    assert panel.find("folderStateLabel").text == "Finished: 1 done, 1 done before."


def test_without_a_model_the_section_says_what_to_do(
    panel: OpenPanel, engine: Client, small_dataset: Path
) -> None:
    panel.ready()
    panel.session.set_project(new_project(engine, small_dataset))
    panel.wait_until(lambda: panel.find("applyFrame").isHidden())
    assert panel.find("noModelLabel").text == "Train or import a model first."


def write_labels(path: Path, dataset: Path) -> None:
    """Write a segmentation of the first new scan."""
    from medssl.imaging.labels import write_labels as write
    from medssl.imaging.reading import read_volume
    from medssl.phantom import SCHEMA

    grid = read_volume(dataset / "imagesTs" / "small_7.nii.gz").grid
    values = np.zeros(grid.shape, np.uint8)
    values[4:8, 5:9, 5:9] = 1
    write(path, values, grid, SCHEMA)


def result(output: Path) -> dict[str, object]:
    """What a finished job over a folder gives back."""
    return {
        "kind": "predict",
        "model_id": "m",
        "done": 1,
        "skipped": 0,
        "failed": {},
        "output": output,
        "table": output / "volumes.csv",
        "report": output / "report.html",
    }


def test_a_folder_that_the_engine_may_not_touch_yet_is_allowed_by_choosing_it(
    panel: OpenPanel, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_section(panel, project)
    asked: list[Path] = []
    tried: list[object] = []

    def refuse(client: Client, key: str, request: object) -> None:
        tried.append(request)
        raise EngineError("path", "It is outside.", "", 403)

    monkeypatch.setattr(Client, "submit", refuse)
    engine = panel.session.engine
    monkeypatch.setattr(engine, "allow", lambda folder, then, failed: asked.append(folder) or then())
    panel.find("scansEdit").currentPath = str(tmp_path)
    panel.find("outputEdit").currentPath = str(tmp_path / "not there" / "yet")
    panel.click("segmentFolderButton")
    panel.wait_until(lambda: panel.message.startswith("It is outside."))
    assert asked == [tmp_path, tmp_path / "not there" / "yet"]
    assert len(tried) == 3
