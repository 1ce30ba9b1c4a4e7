"""A folder of scans becomes a project's cases, whether it is a dataset or not."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_making import write_series
from medssl.errors import DataError, UsageError
from medssl.events import Monitor
from medssl.exchange.datasets import read_dataset
from medssl.imaging.itk import image_of
from medssl.imaging.reading import read_volume
from medssl.imaging.scans import find_scans
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.jobs import REQUEST, ExportProjectRequest, ImportRequest, run_job
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


def test_a_damaged_scan_of_a_dataset_stops_none_of_the_others(small_dataset: Path, tmp_path: Path) -> None:
    dataset = shutil.copytree(small_dataset, tmp_path / "dataset")
    damaged = dataset / "imagesTr" / "small_2.nii.gz"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    request, watcher = ImportRequest(folder=dataset, annotated=3), Watcher()
    with Project.create(tmp_path / "project", read_dataset(dataset).schema) as project:
        first = run_job(project, request, watcher).result
        damaged.write_bytes(whole)
        second = run_job(project, request, Watcher()).result
        states = [case.state for case in project.cases()]
    assert first == ImportResult(cases=5, annotated=2, already_there=0, refused=1)
    (warning,) = watcher.warnings
    assert f"small_2 was not added. {damaged} is damaged" in warning
    assert second == ImportResult(cases=1, annotated=1, already_there=5, refused=0)
    assert states == ["annotated"] * 3 + ["new"] * 3


def test_a_name_that_no_case_can_have_stops_none_of_the_others_of_a_dataset(
    small_dataset: Path, tmp_path: Path
) -> None:
    dataset, invisible = tmp_path / "dataset", "small\N{NO-BREAK SPACE}7"
    (dataset / "imagesTr").mkdir(parents=True)
    for name in ("small_6", invisible, "small_8"):
        shutil.copy(small_dataset / "imagesTr" / "small_1.nii.gz", dataset / "imagesTr" / f"{name}.nii.gz")
    description = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "Head": 1}}
    (dataset / "dataset.json").write_text(json.dumps(description))
    watcher = Watcher()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        done = run_job(project, ImportRequest(folder=dataset), watcher)
        assert [case.name for case in project.cases()] == ["small_6", "small_8"]
    assert done.result == ImportResult(cases=2, annotated=0, already_there=0, refused=1)
    (warning,) = watcher.warnings
    assert "has characters that cannot be shown" in warning


def test_labels_of_a_dataset_that_are_none_stop_none_of_the_others(
    small_dataset: Path, tmp_path: Path
) -> None:
    dataset = shutil.copytree(small_dataset, tmp_path / "dataset")
    label = dataset / "labelsTr" / "small_2.nii.gz"
    shutil.move(label, tmp_path / "kept.nii.gz")
    shutil.copy(dataset / "imagesTr" / "small_2.nii.gz", label)  # a scan, saved in its labels' place
    request, watcher = ImportRequest(folder=dataset, annotated=3), Watcher()
    with Project.create(tmp_path / "project", read_dataset(dataset).schema) as project:
        first = run_job(project, request, watcher).result
        assert project.case("small_2").state == "new"
        shutil.copy(tmp_path / "kept.nii.gz", label)
        second = run_job(project, request, Watcher()).result
    assert first == ImportResult(cases=6, annotated=2, already_there=0, labels_refused=1)
    assert first.left_undone == 1
    (warning,) = watcher.warnings
    assert "The labels of small_2 were not added." in warning
    assert str(label) in warning
    assert second == ImportResult(cases=0, annotated=1, already_there=6)


def test_another_scan_of_the_same_name_does_not_get_the_labels_of_a_dataset(
    small_dataset: Path, tmp_path: Path
) -> None:
    own = tmp_path / "small_1.nii.gz"  # of another patient, on exactly the same grid
    theirs = read_volume(small_dataset / "imagesTr" / "small_1.nii.gz")
    write_volume(own, Volume(theirs.array[::-1].copy(), theirs.grid))
    request, first, second = ImportRequest(folder=small_dataset, annotated=3), Watcher(), Watcher()
    with Project.create(tmp_path / "project", read_dataset(small_dataset).schema) as project:
        project.add_case("small_1", [own], copy=True)
        done = run_job(project, request, first).result
        assert (project.case("small_1").state, project.case("small_2").state) == ("new", "annotated")
        again = run_job(project, request, second).result
    assert done == ImportResult(cases=5, annotated=2, already_there=0, refused=1)
    assert again == ImportResult(cases=0, annotated=0, already_there=5, refused=1)
    (told,) = first.warnings
    assert "small_1 was not added, nor were its labels: the project has another scan of that name." in told
    assert str(small_dataset) in told
    assert second.warnings == first.warnings


def test_a_scan_gets_its_labels_in_whatever_way_it_came_before(small_dataset: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(small_dataset, tmp_path / "moved")
    scans = [moved / "imagesTr" / f"small_{number}.nii.gz" for number in range(4)]
    write_volume(tmp_path / "converted.nrrd", read_volume(scans[3]))
    with Project.create(tmp_path / "project", read_dataset(small_dataset).schema) as project:
        project.add_case("small_1", [small_dataset / "imagesTr" / "small_1.nii.gz"])
        project.add_case("small_2", [scans[2]], copy=True)
        project.add_case("small_3", [tmp_path / "converted.nrrd"])
        done = run_job(project, ImportRequest(folder=moved), Monitor()).result
        assert {case.state for case in project.cases()} == {"annotated"}
    assert done == ImportResult(cases=3, annotated=6, already_there=3)


def test_labels_wait_while_nobody_can_tell_whether_they_are_of_the_scan(
    small_dataset: Path, tmp_path: Path
) -> None:
    scan = tmp_path / "damaged.nii.gz"
    shutil.copy(small_dataset / "imagesTr" / "small_1.nii.gz", scan)
    request, watcher = ImportRequest(folder=small_dataset), Watcher()
    with Project.create(tmp_path / "project", read_dataset(small_dataset).schema) as project:
        project.add_case("small_1", [scan])
        whole = scan.read_bytes()
        scan.write_bytes(whole[: len(whole) // 2])
        done = run_job(project, request, watcher).result
        scan.write_bytes(whole)
        again = run_job(project, request, Monitor()).result
    assert done == ImportResult(cases=5, annotated=5, already_there=1, labels_refused=1)
    (told,) = watcher.warnings
    assert "The labels of small_1 were not added." in told
    assert str(scan) in told
    assert again == ImportResult(cases=0, annotated=1, already_there=6)


def test_scans_of_one_name_in_a_task_list_do_not_get_each_others_labels(tmp_path: Path) -> None:
    for seed, patient in enumerate(("one", "other")):
        phantom = make_phantom(seed, size=(8, 12, 10))
        write_volume(tmp_path / patient / "ct.nii.gz", phantom.image)
        write_volume(tmp_path / patient / "labels.nii.gz", phantom.labels)
    tasks = [{"Image": "one/ct.nii.gz"}, {"Image": "other/ct.nii.gz", "Result": "other/labels.nii.gz"}]
    content = {"FileFormat": "MITK Segmentation Task List", "Version": 1, "Tasks": tasks}
    (tmp_path / "tasks.json").write_text(json.dumps(content))
    with Project.create(tmp_path / "project", SCHEMA) as project:
        project.add_case("ct", [tmp_path / "one" / "ct.nii.gz"])
        done = run_job(project, ImportRequest(folder=tmp_path / "tasks.json"), Monitor()).result
        assert [case.state for case in project.cases()] == ["new"]
    assert done == ImportResult(cases=0, annotated=0, already_there=1, refused=1)


def test_several_series_in_one_folder_become_cases_each(tmp_path: Path) -> None:
    folder = tmp_path / "from the archive"
    flat = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
    for number, description in enumerate(("T1", "T2")):
        for file in write_series(tmp_path / description, flat + number, description=description):
            (folder / "images").mkdir(parents=True, exist_ok=True)
            file.rename(folder / "images" / f"{description} {file.name}")
    write_series(folder, flat + 2, description="overview")  # its folder holds the others below
    watcher = Watcher()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        done = run_job(project, ImportRequest(folder=folder), watcher)
        read = {case.name: read_volume(project.case(case.name).channels[0]) for case in project.cases()}
    assert done.result == ImportResult(cases=3, annotated=0, already_there=0, refused=0)
    assert watcher.warnings == []
    for scan in find_scans(folder):
        expected = scan.read()
        assert np.array_equal(read[scan.name].array, expected.array)
        assert read[scan.name].grid.agrees_with(expected.grid)
    assert sorted(read) == ["images/T1", "images/T2", "overview"]


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


def test_the_cases_of_a_folder_get_the_role_that_was_asked_for(tmp_path: Path) -> None:
    flat = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
    write_series(tmp_path / "scans", flat, description="T1")
    write_series(tmp_path / "scans" / "below", flat + 1, description="T2")
    write_volume(tmp_path / "scans" / "alone.nii.gz", make_phantom(0, size=(8, 12, 10)).image)
    with Project.create(tmp_path / "project", SCHEMA) as project:
        run_job(project, ImportRequest(folder=tmp_path / "scans", role="validation"), Monitor())
        assert [case.role for case in project.cases()] == ["validation"] * 3


def test_the_cases_of_a_dataset_get_the_role_that_was_asked_for(small_dataset: Path, tmp_path: Path) -> None:
    with Project.create(tmp_path / "project", SCHEMA) as project:
        request = ImportRequest(folder=small_dataset, role="excluded", annotated=3, validation=2)
        run_job(project, request, Monitor())
        roles = [(case.role, case.state) for case in project.cases()]
    assert roles == [
        *[("excluded", "annotated")] * 3,
        ("excluded", "new"),
        *[("validation", "annotated")] * 2,
    ]


def test_cases_that_keep_another_role_than_was_asked_for_are_told_of(folder: Path, tmp_path: Path) -> None:
    first, second, third = Watcher(), Watcher(), Watcher()
    (folder / "broken.nii.gz").unlink()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        run_job(project, ImportRequest(folder=folder), first)
        run_job(project, ImportRequest(folder=folder, role="validation"), second)
        assert {case.role for case in project.cases()} == {"training"}
        for case in project.cases():
            project.set_role(case.name, "validation")
        run_job(project, ImportRequest(folder=folder, role="validation"), third)
        run_job(project, ImportRequest(folder=folder), third)
    (warning,) = second.warnings
    assert "2 cases were there already" in warning
    assert first.warnings == third.warnings == []


def test_a_request_of_a_version_without_roles_is_understood(folder: Path) -> None:
    request = REQUEST.validate_python({"kind": "import", "folder": str(folder)})
    assert request == ImportRequest(folder=folder, role="training")


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


def write_both(path: Path, seed: int) -> list[Volume]:
    """Write two channels of a scan into one file, along a fourth axis."""
    image = make_phantom(seed, size=(8, 12, 10)).image
    both = [image, Volume(image.array[::-1].copy(), image.grid)]
    sitk.WriteImage(sitk.JoinSeries([image_of(v.array, v.grid) for v in both]), str(path))
    return both


def test_a_folder_of_files_that_hold_all_channels_becomes_cases(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    both = write_both(tmp_path / "scans" / "a.nii.gz", 0)
    write_volume(tmp_path / "scans" / "lone.nii.gz", both[0])
    watcher = Watcher()
    with Project.create(tmp_path / "project", SCHEMA, ("T1", "T2")) as project:
        done = run_job(project, ImportRequest(folder=tmp_path / "scans"), watcher).result
        kept = [read_volume(path) for path in project.case("a").channels]
    assert done == ImportResult(cases=1, annotated=0, already_there=0, refused=1)
    assert "lone" in watcher.warnings[0]
    for one, other in zip(both, kept, strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_a_decathlon_of_several_channels_leaves_and_comes_back(tmp_path: Path) -> None:
    for seed in range(2):
        write_both(tmp_path / f"{seed}.nii.gz", seed)
        write_volume(tmp_path / f"{seed}-labels.nii.gz", make_phantom(seed, size=(8, 12, 10)).labels)
    with Project.create(tmp_path / "one", SCHEMA, ("T1", "T2")) as project:
        for seed in range(2):
            project.add_case(f"case {seed}", [tmp_path / f"{seed}.nii.gz"])
            project.save_annotation(f"case {seed}", tmp_path / f"{seed}-labels.nii.gz")
        request = ExportProjectRequest(output=tmp_path / "Task01", format="decathlon")
        run_job(project, request, Monitor())
        before = [project.case(f"case {seed}").channels for seed in range(2)]
        with Project.create(tmp_path / "other", SCHEMA, ("T1", "T2")) as other:
            done = run_job(other, ImportRequest(folder=tmp_path / "Task01"), Monitor()).result
            assert done == ImportResult(cases=2, annotated=2, already_there=0)
            after = [other.case(f"case_{seed}").channels for seed in range(2)]
    for paths, kept in zip(before, after, strict=True):
        for path, own in zip(paths, kept, strict=True):
            assert read_volume(own).grid.agrees_with(read_volume(path).grid)
            np.testing.assert_array_equal(read_volume(own).array, read_volume(path).array)


def test_neither_the_project_nor_label_maps_beside_the_scans_become_cases(tmp_path: Path) -> None:
    phantom = make_phantom(0, size=(8, 12, 10))
    write_volume(tmp_path / "scans" / "a.nii.gz", phantom.image)
    write_volume(tmp_path / "scans" / "a-labels.nii.gz", phantom.labels)
    first, second = Watcher(), Watcher()
    request = ImportRequest(folder=tmp_path / "scans", copy_files=True)
    with Project.create(tmp_path / "scans" / "mine", SCHEMA) as project:
        done = run_job(project, request, first).result
        again = run_job(project, request, second).result
        assert [case.name for case in project.cases()] == ["a"]
        project.add_case("named by somebody", [tmp_path / "scans" / "a-labels.nii.gz"])
    assert done == ImportResult(cases=1, annotated=0, already_there=0, passed_over=2)
    assert again == ImportResult(cases=0, annotated=0, already_there=1, passed_over=2)
    labels, mine = first.warnings
    assert "a-labels was passed over." in labels
    assert "holds labels" in labels
    assert mine.startswith("mine was passed over.")
    assert second.warnings == first.warnings


def test_a_label_map_that_is_one_of_several_series_is_passed_over(tmp_path: Path) -> None:
    flat = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
    for values, description in ((flat, "T1"), (flat // 30, "labels")):
        for file in write_series(tmp_path / description, values, description=description):
            (tmp_path / "scans").mkdir(exist_ok=True)
            file.rename(tmp_path / "scans" / f"{description} {file.name}")
    with Project.create(tmp_path / "project", SCHEMA) as project:
        done = run_job(project, ImportRequest(folder=tmp_path / "scans"), Monitor()).result
        assert [case.name for case in project.cases()] == ["T1"]
    assert done == ImportResult(cases=1, annotated=0, already_there=0, passed_over=1)


def test_names_are_compared_as_the_project_keeps_them(tmp_path: Path) -> None:
    scan = make_phantom(0, size=(8, 12, 10)).image
    for name in ("a", "a ", "b", unicodedata.normalize("NFD", "Müller")):
        write_volume(tmp_path / "scans" / f"{name}.nii.gz", scan)
    request, first, second = ImportRequest(folder=tmp_path / "scans"), Watcher(), Watcher()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        done = run_job(project, request, first).result
        again = run_job(project, request, second).result
        assert [case.name for case in project.cases()] == ["a", "b", "Müller"]
    assert done == ImportResult(cases=3, annotated=0, already_there=0, refused=1)
    assert again == ImportResult(cases=0, annotated=0, already_there=3, refused=1)
    (told,) = first.warnings
    assert "a .nii.gz has the name of another scan of the folder" in told
    assert second.warnings == first.warnings
