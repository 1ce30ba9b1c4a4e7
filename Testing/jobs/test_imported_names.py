"""What a data set calls its segments and channels decides what they become in a project."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from medssl.errors import DataError
from medssl.events import Monitor
from medssl.exchange.formats import DatasetFormat
from medssl.imaging.labels import read_values
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.jobs import ExportProjectRequest, ImportRequest, run_job
from medssl.jobs.results import ImportResult
from medssl.labels import LabelSchema
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from watching import Watcher

Describe = Callable[..., Path]


@pytest.fixture
def described(small_dataset: Path, tmp_path: Path) -> Describe:
    """Make a data set of the small one's cases, with these names for its label values."""

    def describe(**labels: int) -> Path:
        dataset = shutil.copytree(small_dataset, tmp_path / "dataset")
        content = json.loads((dataset / "dataset.json").read_text())
        names = {name.replace("_", " "): value for name, value in labels.items()}
        content["labels"] = {"background": 0, **names}
        (dataset / "dataset.json").write_text(json.dumps(content))
        return dataset

    return describe


def drawn(dataset: Path, name: str) -> np.ndarray:
    """The values of a label map of a data set."""
    return read_values(dataset / "labelsTr" / f"{name}.nii.gz").array


def annotated(project: Project, name: str) -> np.ndarray:
    """The values of a case's annotation."""
    annotation = project.case(name).annotation
    assert annotation is not None
    return project.read_annotation(annotation)


def test_a_segment_of_the_same_name_gets_the_projects_value(described: Describe, tmp_path: Path) -> None:
    dataset, watcher = described(renal_PELVIS=1, kidney=2), Watcher()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        run_job(project, ImportRequest(folder=dataset, annotated=1), watcher)
        found = annotated(project, "small_1")
    np.testing.assert_array_equal(found, np.array([0, 2, 1])[drawn(dataset, "small_1")])
    assert watcher.warnings == []


def test_an_unknown_name_with_the_value_of_a_known_one_is_refused_before_a_case_is_added(
    described: Describe, tmp_path: Path
) -> None:
    dataset = described(Renal_pelvis=1, Cyst=2)
    with Project.create(tmp_path / "project", SCHEMA) as project:
        with pytest.raises(DataError, match=r"dataset\.json calls the label value 2 'Cyst'") as caught:
            run_job(project, ImportRequest(folder=dataset, annotated=1), Monitor())
        assert project.count_cases() == 0
        scans = run_job(project, ImportRequest(folder=dataset, annotated=0), Monitor()).result
    assert "'Renal pelvis', which is 1 there" in str(caught.value)
    assert "medssl project schema" in caught.value.remedy
    assert scans == ImportResult(cases=6, annotated=0, already_there=0)


def test_an_unknown_name_goes_by_its_value_and_that_is_told_once(described: Describe, tmp_path: Path) -> None:
    dataset, watcher = described(Kidney=1, Pyelon=2), Watcher()
    with Project.create(tmp_path / "project", SCHEMA) as project:
        run_job(project, ImportRequest(folder=dataset, annotated=2), watcher)
        found = annotated(project, "small_2")
    np.testing.assert_array_equal(found, drawn(dataset, "small_2"))
    (warning,) = watcher.warnings
    assert "their values decide: 2 is 'Pyelon' there and 'Renal pelvis' here" in warning


def test_a_value_that_only_the_project_names_is_not_taken_for_what_another_became(
    described: Describe, tmp_path: Path
) -> None:
    dataset, watcher = described(Kidney=1, Cyst=2), Watcher()
    label = dataset / "labelsTr" / "small_1.nii.gz"
    values = np.array([0, 1, 3], np.uint8)[drawn(dataset, "small_1")]
    write_volume(label, Volume(values, read_values(label).grid))
    schema = LabelSchema.of_names({1: "Kidney", 2: "Renal pelvis", 3: "Cyst"})
    with Project.create(tmp_path / "project", schema) as project:
        done = run_job(project, ImportRequest(folder=dataset, annotated=2), watcher).result
        np.testing.assert_array_equal(
            annotated(project, "small_2"), np.array([0, 1, 3])[drawn(dataset, "small_2")]
        )
    assert done == ImportResult(cases=6, annotated=1, already_there=0, labels_refused=1)
    (warning,) = watcher.warnings
    assert f"{label} holds the label value 3, which the data set does not name." in warning


@pytest.mark.parametrize("layout", ["nnunet", "decathlon"])
def test_channels_of_the_same_names_come_in_the_projects_order(tmp_path: Path, layout: DatasetFormat) -> None:
    phantom, dataset, watcher = make_phantom(0, size=(8, 12, 10)), tmp_path / "dataset", Watcher()
    files = [tmp_path / f"{number}.nii.gz" for number in range(3)]
    for number, file in enumerate(files):
        write_volume(file, Volume(phantom.image.array + number, phantom.image.grid))
    write_volume(tmp_path / "labels.nii.gz", phantom.labels)
    with Project.create(tmp_path / "one", SCHEMA, ("FLAIR", "T1w", "t1gd")) as one:
        one.add_case("a", files)
        one.save_annotation("a", tmp_path / "labels.nii.gz")
        run_job(one, ExportProjectRequest(output=dataset, format=layout), Monitor())
    with Project.create(tmp_path / "other", SCHEMA, ("T1w", "T1Gd", "FLAIR")) as other:
        run_job(other, ImportRequest(folder=dataset, annotated=0), watcher)
        channels = other.case("a").channels
        again = run_job(other, ImportRequest(folder=dataset), watcher).result
    assert again == ImportResult(cases=0, annotated=1, already_there=1)
    assert watcher.warnings == []
    for place, channel in zip((1, 2, 0), channels, strict=True):
        np.testing.assert_array_equal(read_volume(channel).array, phantom.image.array + place)


def test_channels_that_the_project_does_not_know_come_in_their_order_and_are_told_of(tmp_path: Path) -> None:
    dataset, watcher = tmp_path / "dataset", Watcher()
    for number in range(2):
        scan = make_phantom(0, size=(8, 12, 10)).image
        write_volume(dataset / "imagesTr" / f"a_{number:04}.nii.gz", scan)
    content = {"channel_names": {"0": "T2", "1": "ADC"}, "labels": {"background": 0, "Kidney": 1}}
    (dataset / "dataset.json").write_text(json.dumps(content))
    with Project.create(tmp_path / "project", SCHEMA, ("DWI", "T2")) as project:
        run_job(project, ImportRequest(folder=dataset), watcher)
        names = [path.name for path in project.case("a").channels]
    assert names == ["a_0001.nii.gz", "a_0000.nii.gz"]
    (warning,) = watcher.warnings
    assert "their order decides: 'ADC' there is taken for 'DWI' here" in warning
