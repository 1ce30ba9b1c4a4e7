"""Nothing holds Slicer's window up for 100 ms: with a thousand cases, and with a scan of 512 x 512 x 300."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from medssl.labels import LabelSchema
from medssl.project import DATABASE_NAME, Project, tables
from medssl.project.database import Database
from medssl.project.store import now, search_name, sort_name
from MedSSLLib.grids import Grid
from MedSSLLib.voxel_files import write_nrrd
from panels import OpenPanel
from slicer_runtime import Runtime
from slicer_runtime.watchdog import Watchdog
from sqlalchemy import insert

CT = Grid((512, 512, 300), np.diag([-0.8, -0.8, 1.5, 1.0]))
SMALL = Grid((6, 5, 4), np.eye(4))


@pytest.fixture
def ready(panel: OpenPanel) -> OpenPanel:
    """A panel whose module was opened, with all that this costs once."""
    panel.ready()
    return panel


@pytest.fixture
def shown(ready: OpenPanel, runtime: Runtime) -> Iterator[OpenPanel]:
    """One in a window whose slice views have been drawn for the first time, which is the viewer's work."""
    runtime.window.show()
    runtime.work()
    yield ready
    runtime.window.hide()


def _fill(folder: Path, count: int) -> None:
    """Write cases straight into the database: only listing them is of interest."""
    names = [f"scan {number:04d}" for number in range(count)]
    cases = [
        {
            "id": case_id,
            "name": name,
            "search_name": search_name(name),
            "sort_name": sort_name(name),
            "folder": name,
            "role": "training",
            "added": now(),
        }
        for case_id, name in enumerate(names, start=1)
    ]
    channels = [
        {"case_id": each["id"], "position": 0, "path": f"images/{each['name']}.nrrd"} for each in cases
    ]
    with Project.create(folder, LabelSchema.of_names({1: "Liver"})):
        pass
    database = Database(folder / DATABASE_NAME)
    with database.writing() as session:
        session.execute(insert(tables.Case), cases)
        session.execute(insert(tables.Channel), channels)
    database.close()


def _open(panel: OpenPanel, folder: Path, count: int) -> Any:
    """Open a project of so many cases; returns their table."""
    _fill(folder, count)
    panel.click("openButton")
    panel.find("openFolderEdit").currentPath = str(folder)
    panel.click("openFolderButton")
    table = panel.find("casesTable")
    panel.wait_until(lambda: table.rowCount == count)
    return table


def _selected(table: Any) -> list[int]:
    return sorted(index.row() for index in table.selectionModel().selectedRows())


def test_a_thousand_cases_are_listed_sorted_searched_and_scrolled(
    shown: OpenPanel, tmp_path: Path, watchdog: Watchdog
) -> None:
    table = _open(shown, tmp_path / "project", 1000)
    for row in (200, 500, 990):
        table.verticalScrollBar().setValue(row)
        shown.wait_until(lambda row=row: table.item(row, 0) is not None)
        assert table.item(row, 0).text() == f"scan {row:04d}"
    table.horizontalHeader().sectionClicked.emit(0)
    shown.wait_until(lambda: shown.widget.panel.views["project"].pages.row(0).name == "scan 0999")
    shown.find("searchBox").text = "077"
    shown.wait_until(lambda: table.rowCount == 11)


def test_the_use_of_all_selected_scans_changes_also_of_those_that_nobody_scrolled_to(
    shown: OpenPanel, tmp_path: Path, watchdog: Watchdog
) -> None:
    table, roles = _open(shown, tmp_path / "project", 70), shown.find("roleCombo")
    table.selectAll()
    shown.wait_until(lambda: roles.enabled)
    roles.currentText = "validation"
    roles.textActivated.emit("validation")
    assert not roles.enabled  # two changes at once would overtake each other
    shown.wait_until(lambda: shown.message == "70 scans are set to 'validation'.", 60)
    client, key = shown.session.client, shown.session.project.key
    assert client.cases(key, role="validation").total == 70
    shown.wait_until(lambda: _selected(table) == list(range(70)))


def test_the_same_scans_are_selected_after_the_table_was_asked_anew(ready: OpenPanel, tmp_path: Path) -> None:
    table, roles = _open(ready, tmp_path / "project", 70), ready.find("roleCombo")
    rows = table.selectionModel()
    for row in range(45, 56):  # over the end of the first page, and out of sight
        rows.select(table.model().index(row, 0), qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows)
    ready.wait_until(lambda: roles.enabled)
    asked_anew: list[bool] = []
    ready.widget.panel.views["project"].pages.reset.connect(lambda: asked_anew.append(True))
    ready.session.cases_changed.emit()
    ready.wait_until(lambda: asked_anew and roles.enabled)
    assert _selected(table) == list(range(45, 56))
    assert [case.name for case in ready.widget.panel.views["project"].table.cases] == [
        f"scan {row:04d}" for row in range(45, 56)
    ]


def test_a_large_scan_is_loaded_and_what_is_drawn_on_it_saved(
    ready: OpenPanel, tmp_path: Path, watchdog: Watchdog
) -> None:
    voxels = np.zeros(CT.shape, np.int16) - 1000
    voxels[100:200, 150:350, 150:350] = 60
    write_nrrd(tmp_path / "ct.nrrd", voxels, CT)
    client = ready.session.client
    project = client.create_project("CT", {1: "Liver"}, folder=tmp_path / "project")
    case = client.add_case(project.key, "ct", [tmp_path / "ct.nrrd"])
    ready.session.set_project(client.project(project.key))
    logic = ready.widget.panel.views["annotate"].logic
    watchdog.delays.clear()  # of the requests above
    logic.open(case.id)
    ready.wait_until(lambda: logic.desk.case is not None, 60)
    volume = logic.desk.scene.volume
    assert volume.GetImageData().GetDimensions() == CT.size
    assert (volume.GetDisplayNode().GetWindow(), volume.GetDisplayNode().GetLevel()) == (400.0, 40.0)
    drawn = (voxels > 0).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        drawn, logic.desk.scene.segmentation, "Segment_1", volume
    )
    watchdog.delays.clear()  # Slicer's own drawing is not measured
    logic.save()
    ready.wait_until(lambda: not logic.desk.busy, 60)
    assert client.case(project.key, case.id).annotation is not None
