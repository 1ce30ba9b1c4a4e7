"""What is sent of a folder is what an engine of this computer would find in it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from dicom_making import write_series
from medssl.imaging.own_files import LEDGER_NAME, RESULTS_FOLDER
from medssl.imaging.scans import find_scans as engine_scans
from medssl.labels import LabelSchema
from medssl.project import Project
from MedSSLLib.folder_scans import find_scans
from MedSSLLib.grids import Grid
from MedSSLLib.problems import Problem
from MedSSLLib.voxel_files import write_nrrd

GRID = Grid((12, 10, 8), np.diag([-1.0, -1.0, 2.0, 1.0]))
VOXELS = np.random.default_rng(1).integers(0, 50, GRID.shape).astype(np.int16)


@pytest.fixture
def folder(runtime: object, tmp_path: Path) -> Path:
    """Two scans and a DICOM series among a project, results, a drawing, and what is hidden."""
    top = tmp_path / "scans"
    for name in ("a.nrrd", "ward/b.nrrd", ".hidden/c.nrrd", "results/a.nrrd", "results/ward/b.nrrd"):
        write_nrrd(top / name, VOXELS, GRID)
    write_nrrd(top / "drawn.seg.nrrd", VOXELS, GRID)
    write_nrrd(top / "results" / "by hand.nrrd", VOXELS, GRID)
    write_series(top / "series", VOXELS)
    ledger = top / "results" / RESULTS_FOLDER / LEDGER_NAME
    ledger.parent.mkdir()
    ledger.write_text('{"path":"a.nrrd"}\nhalf a row\n"no row"\n{"path":"ward/b.nrrd"}\n', encoding="utf-8")
    with Project.create(top / "study" / "kidneys", LabelSchema.of_names({1: "Kidney"})) as project:
        project.add_case("a", [top / "a.nrrd"], copy=True)
        write_series(project.folder / "images" / "another series", VOXELS)
    return top


@pytest.mark.parametrize("recursive", [True, False])
def test_projects_and_results_in_a_folder_are_sent_as_little_as_the_engine_reads_them(
    folder: Path, recursive: bool
) -> None:
    engines = [scan for scan in engine_scans(folder, recursive) if scan.unfit is None]
    ours = find_scans(folder, recursive)
    assert {scan.source for scan in ours} == {scan.source for scan in engines}
    names = ["a", "results/by hand", "ward/b", "series"] if recursive else ["a"]
    assert [scan.name for scan in ours] == names


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there that few have")
def test_a_link_to_a_result_is_no_scan(folder: Path) -> None:
    (folder / "link.nrrd").symlink_to(folder / "results" / "a.nrrd")
    (folder / "to a scan.nrrd").symlink_to(folder / "ward" / "b.nrrd")
    assert [scan.name for scan in find_scans(folder, recursive=False)] == ["a", "link", "to a scan"]
    assert [scan.name for scan in find_scans(folder) if scan.series is None] == [
        "a",
        "results/by hand",
        "to a scan",
        "ward/b",
    ]


def test_a_project_is_no_folder_of_scans(folder: Path) -> None:
    with pytest.raises(Problem, match="is a project of MedSSL") as told:
        find_scans(folder / "study" / "kidneys")
    assert told.value.remedy == "Choose the folder of the scans themselves."
