"""The section Project, by its buttons, with a real engine in a process of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from learning import new_project
from medssl.client import Client, EngineError
from medssl.labels import LabelSchema
from medssl.project import Project
from MedSSLLib import asking
from MedSSLLib.grids import Grid
from MedSSLLib.segmentations import add_segmentation, read_labels
from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import read_volume, write_nrrd
from panels import OpenPanel

GRID = Grid((10, 9, 8), np.diag([-1.0, -1.0, 2.5, 1.0]))


def _open_form(panel: OpenPanel, name: str, folder: Path) -> None:
    panel.ready()
    panel.click("newButton")
    panel.find("projectNameEdit").text = name
    panel.find("projectFolderEdit").currentPath = str(folder)


def _new_project(panel: OpenPanel, folder: Path, template: str = "Liver with lesions") -> None:
    _open_form(panel, folder.name, folder)
    panel.find("templateCombo").currentText = template
    panel.click("createButton")
    panel.wait_until(lambda: panel.session.project is not None)


def _write_scan(path: Path, seed: int = 0) -> Path:
    voxels = np.random.default_rng(seed).integers(0, 300, GRID.shape).astype(np.int16)
    write_nrrd(path, voxels, GRID)
    return path


def _add_scans(client: Client, project: str, folder: Path, count: int) -> None:
    for number in range(count):
        client.add_case(project, f"scan {number:04d}", [_write_scan(folder / f"{number}.nrrd", number)])


def _names(panel: OpenPanel) -> list[str]:
    table = panel.find("casesTable")
    items = [table.item(row, 0) for row in range(table.rowCount)]
    return ["" if item is None else item.text() for item in items]


def _add_from_scene(panel: OpenPanel, volume: vtk.vtkObject, drawn: vtk.vtkObject) -> None:
    panel.find("channelCombo0").setCurrentNode(volume)
    panel.find("segmentationCombo").setCurrentNode(drawn)
    panel.click("addSceneButton")


def _annotated(panel: OpenPanel, name: str) -> np.ndarray:
    """The label map of a case's annotation."""
    annotation = panel.session.client.case(panel.session.project.key, name).annotation
    return sitk.GetArrayFromImage(sitk.ReadImage(annotation.path))


def _select(panel: OpenPanel, row: int) -> None:
    panel.find("casesTable").selectRow(row)


def test_a_project_is_made_from_a_template_with_its_codes(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, tmp_path / "Lebern für die Übung")
    project = panel.session.project
    assert project.name == "Lebern für die Übung"
    assert project.segments[0].terminology["type"]["meaning"] == "Liver"
    assert panel.shows("projectFrame")
    assert not panel.shows("emptyFrame")
    panel.wait_until(lambda: "no scans yet" in panel.find("noCasesLabel").text)


def test_a_form_that_cannot_be_used_says_why_and_keeps_what_was_typed(
    panel: OpenPanel, tmp_path: Path
) -> None:
    _open_form(panel, "", tmp_path / "x")
    panel.click("createButton")
    assert "no name" in panel.find("formProblemLabel").text
    panel.find("projectNameEdit").text = "Twice"
    panel.click("addSegmentButton")
    table = panel.find("schemaTable")
    for row in range(2):
        table.item(row, 1).setText("Nodule")
    panel.click("createButton")
    assert "Two segments are called 'Nodule'" in panel.find("formProblemLabel").text
    table.item(0, 1).setText("not  annotated")
    panel.click("createButton")
    assert "No segment can be called 'Not annotated'" in panel.find("formProblemLabel").text
    assert panel.session.project is None


def test_segments_are_renamed_and_added_and_never_renumbered(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, tmp_path / "project")
    panel.click("segmentsButton")
    table = panel.find("schemaTable")
    assert not panel.find("removeSegmentButton").enabled
    table.item(0, 1).setText("Whole liver")
    panel.click("addSegmentButton")
    table.item(table.rowCount - 1, 1).setText("Gallbladder")
    panel.click("createButton")
    panel.wait_until(lambda: panel.shows("projectFrame"))
    segments = panel.session.project.segments
    assert segments[0].name == "Whole liver"
    assert segments[0].terminology["type"]["meaning"] == "Liver"
    assert segments[-1].name == "Gallbladder"
    assert [s.value for s in segments] == list(range(1, len(segments) + 1))


@pytest.mark.parametrize("knows", [False, True])
def test_segments_that_changed_elsewhere_are_not_replaced_by_a_form_that_was_open_before(
    panel: OpenPanel, engine: Client, tmp_path: Path, knows: bool
) -> None:
    _new_project(panel, tmp_path / "project")
    before, table = panel.session.project, panel.find("schemaTable")
    panel.click("segmentsButton")
    panel.click("addSegmentButton")
    table.item(table.rowCount - 1, 1).setText("Gallbladder")
    changed = {each.value: each.name for each in before.segments} | {len(before.segments) + 1: "Cyst"}
    there = engine.set_schema(before.key, changed)
    if knows:
        panel.session.cases_changed.emit()
        panel.wait_until(lambda: panel.session.project == there)
    panel.click("createButton")
    panel.wait_until(lambda: "changed elsewhere" in panel.message)
    assert "'Cyst'" in panel.message
    assert engine.project(before.key) == there
    panel.click("cancelFormButton")
    panel.click("segmentsButton")
    assert table.item(table.rowCount - 1, 1).text() == "Cyst"


def test_a_scan_of_the_scene_becomes_a_case_with_what_is_drawn_on_it(
    panel: OpenPanel, tmp_path: Path
) -> None:
    _new_project(panel, tmp_path / "project")
    volume = add_volume(read_volume(_write_scan(tmp_path / "scan.nrrd")), "Müller, 3")
    values = np.zeros(GRID.shape, np.uint8)
    values[2:4, 3:6, 4:7] = 1
    write_nrrd(tmp_path / "drawn.nrrd", values, GRID)
    drawn = add_segmentation(read_labels(tmp_path / "drawn.nrrd"), panel.session.project, "Drawn", volume)
    _add_from_scene(panel, volume, drawn)
    panel.wait_until(lambda: _names(panel) == ["Müller, 3"])
    panel.wait_until(lambda: panel.session.project.annotated == 1)
    client, project = panel.session.client, panel.session.project
    case = client.case(project.key, "Müller, 3")
    back = read_volume(Path(case.annotation.path))
    assert np.array_equal(slicer.util.arrayFromVolume(add_volume(back, "back")), values)
    assert back.grid.is_same_as(GRID)
    assert not list((Path(project.folder) / "cache").glob("from-slicer/*"))


def test_a_scan_that_was_loaded_centered_is_added_with_the_drawing_where_it_was_drawn(
    panel: OpenPanel, tmp_path: Path
) -> None:
    _new_project(panel, tmp_path / "project")
    away = np.eye(4)
    away[:3, 3] = 70.0, -30.0, 12.0
    write_nrrd(tmp_path / "scan.nrrd", np.ones(GRID.shape, np.int16), GRID.moved(away))
    volume = slicer.util.loadVolume(str(tmp_path / "scan.nrrd"), {"center": True, "name": "Centered"})
    drawn = add_segmentation(None, panel.session.project, "Drawn", volume)
    values = np.zeros(GRID.shape, np.uint8)
    values[2:4, 3:6, 4:7] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        values, drawn, drawn.GetSegmentation().GetNthSegmentID(0), volume
    )
    _add_from_scene(panel, volume, drawn)
    panel.wait_until(lambda: panel.session.project.annotated == 1)
    assert np.array_equal(_annotated(panel, "Centered"), values)


def test_a_scan_in_slicers_cache_stays_in_the_project_when_the_cache_is_cleared(
    panel: OpenPanel, tmp_path: Path
) -> None:
    _new_project(panel, tmp_path / "project")
    cache = slicer.mrmlScene.GetCacheManager()
    cache.SetRemoteCacheDirectory(str(tmp_path / "cache"))  # where the engine may read
    path = _write_scan(tmp_path / "cache" / "Sample.nrrd")
    _add_from_scene(panel, slicer.util.loadVolume(str(path)), None)
    panel.wait_until(lambda: panel.session.project.cases == 1)
    cache.ClearCache()
    assert not path.exists()
    case = panel.session.client.case(panel.session.project.key, "Sample")
    assert read_volume(Path(case.channels[0])).grid.is_same_as(GRID)


def test_what_the_engine_notes_about_a_file_is_shown_with_the_added_scan(
    panel: OpenPanel, tmp_path: Path
) -> None:
    _new_project(panel, tmp_path / "project")
    voxels = np.ones(GRID.shape, np.float32)
    voxels[0, 0] = np.nan
    write_nrrd(tmp_path / "scan.nrrd", voxels, GRID)
    panel.widget.panel.views["project"].adding.from_disk(tmp_path / "scan.nrrd", copy_files=False)
    panel.wait_until(lambda: "'scan' was added." in panel.message)
    assert "not finite numbers" in panel.message
    assert panel.widget.panel.message.grade == "warning"  # which stays until it is read


def test_what_another_project_calls_otherwise_is_asked_about_and_not_taken_for_a_segment_of_this_one(
    panel: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.ready()
    vessels = panel.session.client.create_project("Vessels", {1: "Aorta"}, folder=tmp_path / "vessels")
    _new_project(panel, tmp_path / "project")  # 1 is the liver here
    volume = add_volume(read_volume(_write_scan(tmp_path / "scan.nrrd")), "Patient 3")
    values = np.zeros(GRID.shape, np.uint8)
    values[2:4, 3:6, 4:7] = 1
    write_nrrd(tmp_path / "drawn.nrrd", values, GRID)
    drawn = add_segmentation(read_labels(tmp_path / "drawn.nrrd"), vessels, "Patient 3 segmented", volume)
    asked: list[str] = []

    def add_it(_title: str, text: str, *_: object, **_more: object) -> int:
        asked.append(text)
        return 0

    monkeypatch.setattr(asking, "choose", add_it)
    before = len(panel.session.project.segments)
    _add_from_scene(panel, volume, drawn)
    panel.wait_until(lambda: panel.session.project.annotated == 1)
    assert "has no segment 'Aorta'" in asked[0]
    aorta = panel.session.project.segments[before]
    assert aorta.name == "Aorta"
    assert np.array_equal(_annotated(panel, "Patient 3"), values * aorta.value)


@pytest.mark.parametrize("drawn_where", ["nowhere", "beside the scan"])
@pytest.mark.parametrize("sure", [False, True])
def test_a_segmentation_with_nothing_on_the_scan_is_no_annotation_unless_the_person_says_so(
    panel: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_where: str, sure: bool
) -> None:
    _new_project(panel, tmp_path / "project")
    volume = add_volume(read_volume(_write_scan(tmp_path / "scan.nrrd")), "Patient 3")
    labels = None
    if drawn_where == "beside the scan":
        far = np.eye(4)
        far[:3, 3] = 500.0
        write_nrrd(tmp_path / "drawn.nrrd", np.ones(GRID.shape, np.uint8), GRID.moved(far))
        labels = read_labels(tmp_path / "drawn.nrrd")
    drawn = add_segmentation(labels, panel.session.project, "Drawn", volume)
    if sure:
        monkeypatch.setattr(asking, "choose", lambda *_, **_more: 0)
    _add_from_scene(panel, volume, drawn)
    if not sure:
        panel.wait_until(lambda: "'Patient 3' was not added: nothing is drawn on it." in panel.message)
        assert panel.session.client.project(panel.session.project.key).cases == 0
        assert panel.find("addSceneButton").enabled
        return
    panel.wait_until(lambda: panel.session.project.annotated == 1)
    assert not _annotated(panel, "Patient 3").any()


def test_a_sheared_volume_is_refused_in_one_sentence(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, tmp_path / "project")
    volume = add_volume(read_volume(_write_scan(tmp_path / "scan.nrrd")), "Tilted")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = slicer.util.vtkMatrixFromArray(
        np.array([[1, 0.4, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    )
    transform.SetMatrixTransformToParent(matrix)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    panel.find("channelCombo0").setCurrentNode(volume)
    panel.click("addSceneButton")
    assert "not at right angles" in panel.message
    assert panel.session.project.cases == 0


def test_a_folder_of_scans_is_added_from_disk(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, tmp_path / "project")
    for number in range(3):
        _write_scan(tmp_path / "scans" / f"{number}.nrrd", number)
    (tmp_path / "scans" / "broken.nrrd").write_text("no scan", encoding="utf-8")
    panel.find("diskEdit").currentPath = str(tmp_path / "scans")
    panel.click("addDiskButton")
    panel.wait_until(lambda: _names(panel) == ["0", "1", "2"], 60)
    panel.wait_until(lambda: "3 scans were added. broken was not added. " in panel.message)


def test_many_cases_come_page_by_page_sorted_by_the_engine(panel: OpenPanel, tmp_path: Path) -> None:
    scan = _write_scan(tmp_path / "scan.nrrd")
    with Project.create(tmp_path / "project", LabelSchema.of_names({1: "Liver"})) as project:
        for number in range(120):
            project.add_case(f"scan {number:04d}", [scan])
        nothing = np.zeros(GRID.shape, np.uint8)
        for name, score in (("scan 0007", 0.4), ("scan 0100", 0.6)):
            doubt = np.full(GRID.shape, score, np.float32)
            project.add_pseudo_label(name, nothing, doubt, score=score, model_id="m", worst_slice=0)
    panel.ready()
    panel.click("openButton")
    panel.find("openFolderEdit").currentPath = str(tmp_path / "project")
    panel.click("openFolderButton")
    panel.wait_until(lambda: panel.find("casesTable").rowCount == 120)
    table = panel.find("casesTable")
    assert table.item(0, 0).text() == "scan 0000"
    table.scrollToBottom()
    panel.wait_until(lambda: table.item(119, 0) is not None)
    assert table.item(119, 0).text() == "scan 0119"
    panel.find("searchBox").text = "005"
    panel.wait_until(lambda: table.rowCount == 11)
    assert _names(panel)[0] == "scan 0005"
    panel.find("searchBox").text = ""
    panel.wait_until(lambda: table.rowCount == 120)
    table.horizontalHeader().sectionClicked.emit(2)
    pages = panel.widget.panel.views["project"].pages
    panel.wait_until(lambda: pages.row(0).name == "scan 0100")  # the most uncertain


def test_a_case_is_excluded_used_for_validation_and_used_again(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, tmp_path / "project")
    _add_scans(panel.session.client, panel.session.project.key, tmp_path, 1)
    panel.session.cases_changed.emit()
    panel.wait_until(lambda: _names(panel) == ["scan 0000"])
    table, roles = panel.find("casesTable"), panel.find("roleCombo")
    for role in ("excluded", "validation", "training"):
        _select(panel, 0)
        roles.currentText = role
        roles.textActivated.emit(role)
        panel.wait_until(lambda role=role: table.item(0, 3) is not None and table.item(0, 3).text() == role)


def test_every_case_that_is_seen_gets_its_picture_however_often_the_table_is_drawn(
    panel: OpenPanel, tmp_path: Path
) -> None:
    _new_project(panel, tmp_path / "project")
    _add_scans(panel.session.client, panel.session.project.key, tmp_path, 4)
    panel.session.cases_changed.emit()
    panel.wait_until(lambda: len(_names(panel)) == 4)
    pages = panel.widget.panel.views["project"].pages
    for _ in range(3):  # the first pictures are still on their way
        pages.show(0, 3)
    panel.wait_until(lambda: all(pages.picture(pages.row(row).id) for row in range(4)))


def test_the_project_of_last_time_is_open_again(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, tmp_path / "project")
    panel.reopen()
    panel.wait_until(lambda: panel.session.project is not None)
    assert panel.session.project.folder == str(tmp_path / "project")


def test_in_a_narrow_panel_the_names_of_scans_can_be_read(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, tmp_path / "project")
    _add_scans(panel.session.client, panel.session.project.key, tmp_path, 1)
    panel.session.cases_changed.emit()
    panel.wait_until(lambda: _names(panel) == ["scan 0000"])
    table = panel.find("casesTable")
    table.resize(360, table.height)
    panel.wait_until(lambda: table.columnWidth(0) >= table.sizeHintForColumn(0))


@pytest.mark.parametrize(("code", "kept"), [("timeout", True), ("unreachable", True), ("project", False)])
def test_the_project_of_last_time_is_forgotten_when_it_is_gone_and_not_when_the_engine_is(
    panel: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, kept: bool
) -> None:
    panel.ready()
    panel.session.settings.remember("project.folder", str(tmp_path / "moved"))

    def refuse(_client: Client, _folder: Path) -> None:
        raise EngineError(code, "It cannot be opened.")

    monkeypatch.setattr(Client, "open_project", refuse)
    panel.widget.panel.views["project"].logic.enter()
    panel.wait_until(lambda: "It cannot be opened." in panel.message, 30)
    assert bool(panel.session.settings.value("project.folder", "")) == kept


@pytest.mark.parametrize("layout", ["nnunet", "decathlon", ""])
def test_the_project_is_exported_as_a_data_set(
    panel: OpenPanel,
    engine: Client,
    small_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
) -> None:
    panel.ready()
    panel.session.set_project(new_project(engine, small_dataset))
    panel.wait_until(lambda: panel.find("exportButton").enabled)
    named: list[str] = []
    monkeypatch.setattr(asking, "pick", lambda *question, while_testing: layout)
    monkeypatch.setattr(asking, "new_file", lambda title, name: named.append(name) or str(tmp_path / name))
    panel.click("exportButton")
    if not layout:
        assert not named
        return
    panel.wait_until(lambda: "2 annotated scans, and 4 without an annotation" in panel.message, 60)
    folder = tmp_path / {"nnunet": "Dataset001_Kidneys", "decathlon": "Task01_Kidneys"}[layout]
    assert panel.message.startswith(f"The data set is in {folder}: ")
    assert (folder / "dataset.json").is_file()
    assert len(list((folder / "labelsTr").glob("*.nii.gz"))) == 2
