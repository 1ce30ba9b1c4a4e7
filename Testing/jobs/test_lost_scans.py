"""A project that came without its scans gets them again when they are added from where they lie now."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_making import write_series
from medssl.cli.results import describe
from medssl.errors import ProjectError
from medssl.exchange.datasets import read_dataset
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.jobs import ImportRequest, run_job
from medssl.jobs.results import ImportResult
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from watching import Watcher


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The copy of a project with two scans, one of them annotated, on a computer without the scans."""
    with Project.create(tmp_path / "project", SCHEMA) as project:
        for seed, name in enumerate("ab"):
            phantom = make_phantom(seed, size=(8, 12, 10))
            write_volume(tmp_path / "scans" / f"{name}.nii.gz", phantom.image)
            write_volume(tmp_path / f"{name}-labels.nii.gz", phantom.labels)
        run_job(project, ImportRequest(folder=tmp_path / "scans"), Watcher())
        project.save_annotation("a", tmp_path / "a-labels.nii.gz")
    (tmp_path / "scans").rename(tmp_path / "elsewhere")
    return shutil.copytree(tmp_path / "project", tmp_path / "copy")


@pytest.mark.parametrize("copy_files", [False, True])
def test_cases_without_files_get_them_again(copied: Path, tmp_path: Path, copy_files: bool) -> None:
    elsewhere, watcher = tmp_path / "elsewhere", Watcher()
    request = ImportRequest(folder=elsewhere, copy_files=copy_files)
    with Project.open(copied) as project:
        done = run_job(project, request, watcher).result
        again = run_job(project, request, Watcher()).result
        cases = [project.case(name) for name in "ab"]
    assert done == ImportResult(cases=0, annotated=0, already_there=2, found_again=2)
    assert again == ImportResult(cases=0, annotated=0, already_there=2)
    assert "2 cases were gone and are found again" in describe(done)
    assert [case.state for case in cases] == ["annotated", "new"]
    assert ["whose files were gone" in told for told in watcher.warnings] == [True, True]
    for case in cases:
        (found,) = case.channels
        assert found.is_relative_to(copied) == copy_files
        assert found.read_bytes() == (elsewhere / f"{case.name}.nii.gz").read_bytes()


def test_another_scan_of_the_name_is_no_scan_of_a_case_without_files(copied: Path, tmp_path: Path) -> None:
    a, b = (tmp_path / "elsewhere" / f"{name}.nii.gz" for name in "ab")
    scan = read_volume(a)
    write_volume(a, Volume(scan.array, replace(scan.grid, origin_mm=(3.0, 0.0, 0.0))))
    other = read_volume(b)
    write_volume(b, Volume(other.array + 1, other.grid))
    watcher = Watcher()
    with Project.open(copied) as project:
        before = [project.case(name) for name in "ab"]
        done = run_job(project, ImportRequest(folder=tmp_path / "elsewhere"), watcher).result
        assert [project.case(name) for name in "ab"] == before
    assert done == ImportResult(cases=0, annotated=0, already_there=0, refused=2)
    assert ["This is another scan." in told for told in watcher.warnings] == [True, True]


def test_a_case_whose_file_is_there_keeps_it(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    own = shutil.copy(tmp_path / "elsewhere" / "a.nii.gz", tmp_path / "scans")
    with Project.open(copied) as project:
        done = run_job(project, ImportRequest(folder=tmp_path / "elsewhere"), Watcher()).result
        assert project.case("a").channels == (Path(own),)
    assert done == ImportResult(cases=0, annotated=0, already_there=2, found_again=1)


def test_a_case_of_a_dataset_gets_its_files_and_then_its_labels(small_dataset: Path, tmp_path: Path) -> None:
    scan = shutil.copy(small_dataset / "imagesTr" / "small_1.nii.gz", tmp_path / "small_1.nii.gz")
    with Project.create(tmp_path / "project", read_dataset(small_dataset).schema) as project:
        project.add_case("small_1", [scan])
        Path(scan).unlink()
        done = run_job(project, ImportRequest(folder=small_dataset), Watcher()).result
        assert project.case("small_1").channels == (small_dataset / "imagesTr" / "small_1.nii.gz",)
    assert done == ImportResult(cases=5, annotated=6, already_there=1, found_again=1)


def test_the_channels_and_the_series_of_a_case_are_found_again(tmp_path: Path) -> None:
    first, second = tmp_path / "was", tmp_path / "is"
    voxels = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
    for number, name in enumerate(("T1", "T2")):
        write_series(first / name, voxels * (number + 1), description=name)
    with Project.create(tmp_path / "project", SCHEMA, ("T1", "T2")) as project:
        project.add_case("p", [first / "T1", first / "T2"])
        first.rename(second)
        with pytest.raises(ProjectError, match="This is another scan"):
            project.add_case("p", [second / "T2", second / "T1"])
        found = project.add_case("p", [second / "T1", second / "T2"])
        assert found.channels == project.case("p").channels == (second / "T1", second / "T2")


def test_a_scan_that_is_nearly_all_background_is_not_told_from_others(tmp_path: Path) -> None:
    grid = make_phantom(0, size=(8, 12, 10)).image.grid
    voxels = np.zeros(grid.shape, np.int16)
    voxels[0, 0, :5] = 40, 80, 120, 160, 200
    write_volume(tmp_path / "one" / "a.nii.gz", Volume(voxels, grid))
    write_volume(tmp_path / "other" / "a.nii.gz", Volume(voxels[::-1].copy(), grid))
    with Project.create(tmp_path / "project", SCHEMA) as project:
        project.add_case("a", [tmp_path / "one" / "a.nii.gz"])
        shutil.rmtree(tmp_path / "one")
        with pytest.raises(ProjectError, match="too little of it"):
            project.add_case("a", [tmp_path / "other" / "a.nii.gz"])


def test_scans_of_tiny_numbers_are_told_apart(tmp_path: Path) -> None:
    image = make_phantom(0, size=(8, 12, 10)).image
    for name, scale in (("one", 1e-9), ("other", 2e-9)):  # as of diffusion, in m2/s
        voxels = image.array.astype(np.float32) * np.float32(scale)
        write_volume(tmp_path / name / "a.nrrd", Volume(voxels, image.grid))
    with Project.create(tmp_path / "project", SCHEMA) as project:
        project.add_case("a", [tmp_path / "one" / "a.nrrd"])
        shutil.rmtree(tmp_path / "one")
        with pytest.raises(ProjectError, match="This is another scan"):
            project.add_case("a", [tmp_path / "other" / "a.nrrd"])
