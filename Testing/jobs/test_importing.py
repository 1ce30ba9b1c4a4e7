"""A folder of scans becomes a project's cases, whether it is a dataset or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from medssl.errors import DataError, UsageError
from medssl.events import Monitor
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.jobs import ImportRequest, run_job
from medssl.jobs.results import ImportResult
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from watching import Watcher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scans, one of them in a folder of its own, and a file that is none."""
    scan = make_phantom(0, size=(8, 12, 10)).image
    (tmp_path / "scans" / "second visit").mkdir(parents=True)
    write_volume(tmp_path / "scans" / "patient 1.nii.gz", scan)
    write_volume(tmp_path / "scans" / "second visit" / "patient 1.mha", scan)
    (tmp_path / "scans" / "broken.nii.gz").write_bytes(b"not an image")
    return tmp_path / "scans"


def test_every_scan_becomes_a_case_and_a_bad_one_stops_nothing(folder: Path, tmp_path: Path) -> None:
    watcher = Watcher()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        done = run_job(project, ImportRequest(folder=folder), watcher)
        assert [case.name for case in project.cases()] == ["patient 1", "second visit/patient 1"]
    assert done.result == ImportResult(cases=2, annotated=0, already_there=0, refused=1)
    (warning,) = watcher.warnings
    assert "broken" in warning


def test_how_a_scan_had_to_be_read_is_told(tmp_path: Path) -> None:
    scan = make_phantom(0, size=(8, 12, 10)).image
    holes = scan.array.astype(np.float32)
    holes[2, 3] = np.nan
    (tmp_path / "scans").mkdir()
    write_volume(tmp_path / "scans" / "patient 3.nrrd", Volume(holes, scan.grid))
    watcher = Watcher()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        run_job(project, ImportRequest(folder=tmp_path / "scans"), watcher)
    (told,) = watcher.warnings
    assert "patient 3" in told
    assert "finite" in told


def test_a_second_run_adds_what_is_new(folder: Path, tmp_path: Path) -> None:
    with Project.create(tmp_path / "project", SCHEMA) as project:
        run_job(project, ImportRequest(folder=folder), Monitor())
        write_volume(folder / "patient 2.nrrd", make_phantom(1, size=(8, 12, 10)).image)
        again = run_job(project, ImportRequest(folder=folder), Monitor()).result
    assert again == ImportResult(cases=1, annotated=0, already_there=2, refused=1)


def test_labels_that_a_folder_does_not_have_cannot_be_asked_for(folder: Path, tmp_path: Path) -> None:
    with (
        Project.create(tmp_path / "project", SCHEMA) as project,
        pytest.raises(UsageError, match=r"dataset\.json"),
    ):
        run_job(project, ImportRequest(folder=folder, annotated=1), Monitor())


def test_files_of_several_channels_are_not_guessed_together(folder: Path, tmp_path: Path) -> None:
    with (
        Project.create(tmp_path / "project", SCHEMA, ("T1", "T2")) as project,
        pytest.raises(UsageError, match="2 channels"),
    ):
        run_job(project, ImportRequest(folder=folder), Monitor())


def test_a_folder_without_scans_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with Project.create(tmp_path / "project", SCHEMA) as project, pytest.raises(DataError, match="no scan"):
        run_job(project, ImportRequest(folder=tmp_path / "empty"), Monitor())
