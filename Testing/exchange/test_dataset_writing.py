"""A project leaves as an nnU-Net or Decathlon data set, and comes back from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import DataError, GridError, StorageError
from medssl.exchange.dataset_writing import CaseFiles, write_dataset
from medssl.exchange.datasets import read_dataset
from medssl.exchange.formats import DatasetFormat
from medssl.exchange.task_list import read_task_list
from medssl.imaging.labels import read_labels, write_labels
from medssl.imaging.multichannel import read_channels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.phantom import make_phantom

SCHEMA = LabelSchema.of_names({3: "Kidney", 8: "Renal pelvis"})


@pytest.fixture
def cases(tmp_path: Path) -> list[CaseFiles]:
    """Two annotated cases, one of them in part and for validation, and one without annotation."""
    made = []
    for index, name in enumerate(("patient 1/left", "patient 1_left", "new")):
        phantom = make_phantom(index, (12, 16, 14))
        image = tmp_path / f"{index}.nrrd" if index else tmp_path / "0.nii.gz"
        write_volume(image, phantom.image)
        values = np.array([0, 3, 8], np.uint8)[phantom.labels.array]
        if index == 1:
            values[4:] = 255
        labels = tmp_path / f"{index}.seg.nrrd"
        write_labels(labels, values, phantom.image.grid, SCHEMA)
        made.append(CaseFiles(name, (image,), labels if index < 2 else None, validation=index == 1))
    return made


def test_nnunet_gets_classes_in_a_row_channels_by_number_and_a_split(
    tmp_path: Path, cases: list[CaseFiles]
) -> None:
    out = tmp_path / "Dataset001_Kidney"
    write_dataset(out, "Kidney", SCHEMA, ("MR",), cases, "nnunet")
    description = json.loads((out / "dataset.json").read_text())
    assert description["labels"] == {"background": 0, "Kidney": 1, "Renal pelvis": 2, "ignore": 3}
    assert description["numTraining"] == 2
    assert description["file_ending"] == ".nii.gz"
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.nii.gz"))
    assert files == [
        "imagesTr/patient_1_left-2_0000.nii.gz",
        "imagesTr/patient_1_left_0000.nii.gz",
        "imagesTs/new_0000.nii.gz",
        "labelsTr/patient_1_left-2.nii.gz",
        "labelsTr/patient_1_left.nii.gz",
    ]
    values = np.unique(read_labels(out / files[3]).volume.array)
    assert set(values) <= {0, 1, 2, 3}
    assert 3 in values
    splits = json.loads((out / "splits_final.json").read_text())
    assert splits == [{"train": ["patient_1_left"], "val": ["patient_1_left-2"]}]


def test_cases_whose_names_are_too_long_for_files_leave_under_shorter_ones(
    tmp_path: Path, cases: list[CaseFiles]
) -> None:
    long = [replace(cases[0], name="\N{CYRILLIC SMALL LETTER A}" * 250 + end) for end in ("bc", "bd")]
    write_dataset(tmp_path / "out", "Kidney", SCHEMA, ("MR",), long, "nnunet")
    names = [case.name for case in read_dataset(tmp_path / "out").cases]
    assert len({name.casefold() for name in names}) == 2
    assert all(name.startswith("\N{CYRILLIC SMALL LETTER A}" * 100) for name in names)


def test_packed_nifti_is_copied_byte_for_byte(tmp_path: Path, cases: list[CaseFiles]) -> None:
    write_dataset(tmp_path / "out", "k", SCHEMA, ("MR",), cases, "decathlon")
    copied = tmp_path / "out" / "imagesTr" / "patient_1_left.nii.gz"
    assert copied.read_bytes() == cases[0].channels[0].read_bytes()


@pytest.mark.parametrize("layout", ["nnunet", "decathlon"])
def test_what_was_written_reads_back(tmp_path: Path, cases: list[CaseFiles], layout: DatasetFormat) -> None:
    write_dataset(tmp_path / "out", "Kidney", SCHEMA, ("MR",), cases, layout)
    dataset = read_dataset(tmp_path / "out")
    assert dataset.schema.names == SCHEMA.names
    assert dataset.channel_names == ("MR",)
    assert [case.test for case in dataset.cases] == [False, False, True]
    assert dataset.ignore == (3 if layout == "nnunet" else None)
    for before, after in zip(cases, sorted(dataset.cases, key=lambda c: (c.test, len(c.name))), strict=True):
        one, other = read_volume(before.channels[0]), read_volume(after.channels[0])
        assert other.grid.agrees_with(one.grid)
        np.testing.assert_array_equal(one.array, other.array)
        if before.labels is not None and after.labels is not None and layout == "decathlon":
            expected = read_labels(before.labels).volume.array
            np.testing.assert_array_equal(read_labels(after.labels).volume.array, expected)


def test_labels_leave_on_the_voxels_that_their_scan_has_now(tmp_path: Path, cases: list[CaseFiles]) -> None:
    image, drawn = cases[0].channels[0], read_labels(cases[0].labels).volume.array
    sitk.WriteImage(sitk.Flip(sitk.ReadImage(str(image)), (True, False, False)), str(image))
    write_dataset(tmp_path / "out", "Kidney", SCHEMA, ("MR",), cases[:1], "decathlon")
    (case,) = read_dataset(tmp_path / "out").cases
    written = read_labels(case.labels).volume
    assert written.grid.agrees_with(read_volume(case.channels[0]).grid)
    np.testing.assert_array_equal(written.array, drawn[:, :, ::-1])


def test_what_was_drawn_before_a_segment_was_renamed_leaves_with_its_values(
    tmp_path: Path, cases: list[CaseFiles]
) -> None:
    renamed = LabelSchema.of_names({3: "Parenchyma", 8: "Renal pelvis"})
    write_dataset(tmp_path / "out", "Kidney", renamed, ("MR",), cases, "decathlon")
    written = read_labels(tmp_path / "out" / "labelsTr" / "patient_1_left.nii.gz").volume.array
    np.testing.assert_array_equal(written, read_labels(tmp_path / "0.seg.nrrd").volume.array)


def test_several_channels_are_files_for_nnunet_and_one_4d_file_for_the_decathlon(tmp_path: Path) -> None:
    phantom = make_phantom(0, (12, 16, 14))
    for name in ("t1", "t2"):
        write_volume(tmp_path / f"{name}.nii.gz", phantom.image)
    write_labels(
        tmp_path / "l.seg.nrrd",
        phantom.labels.array * 3,
        phantom.image.grid,
        LabelSchema.of_names({3: "a", 6: "b"}),
    )
    case = CaseFiles("a", (tmp_path / "t1.nii.gz", tmp_path / "t2.nii.gz"), tmp_path / "l.seg.nrrd")
    schema = LabelSchema.of_names({3: "a", 6: "b"})
    write_dataset(tmp_path / "n", "n", schema, ("T1", "T2"), [case], "nnunet")
    assert [len(case.channels) for case in read_dataset(tmp_path / "n").cases] == [2]
    write_dataset(tmp_path / "d", "d", schema, ("T1", "T2"), [case], "decathlon")
    nibabel = pytest.importorskip("nibabel")
    assert nibabel.load(tmp_path / "d" / "imagesTr" / "a.nii.gz").shape == (14, 16, 12, 2)
    assert json.loads((tmp_path / "d" / "dataset.json").read_text())["tensorImageSize"] == "4D"


@pytest.mark.parametrize("layout", ["nnunet", "decathlon"])
@pytest.mark.parametrize(
    ("names", "written"),
    [
        (("background", "B"), ("background (segment)", "B")),
        (("A", "ignore"), ("A", "ignore (segment)")),
        ((" Ignore", "BACKGROUND"), (" Ignore (segment)", "BACKGROUND (segment)")),
        (("ignore (Segment)", "ignore"), ("ignore (Segment)", "ignore (segment 2)")),
        (("12", "11"), ("12", "11")),  # teeth are called like this
    ],
)
def test_segments_keep_a_class_of_their_own_whatever_they_are_called(
    tmp_path: Path,
    cases: list[CaseFiles],
    layout: DatasetFormat,
    names: tuple[str, str],
    written: tuple[str, str],
) -> None:
    schema = LabelSchema.of_names(dict(zip((3, 8), names, strict=True)))
    notes = write_dataset(tmp_path / "out", "k", schema, ("MR",), cases, layout)
    renamed = [(own, other) for own, other in zip(names, written, strict=True) if own != other]
    for (own, other), note in zip(renamed, notes, strict=True):
        assert f"'{own}' is called '{other}' in the data set" in note
    description = json.loads((tmp_path / "out" / "dataset.json").read_text())
    if layout == "nnunet":
        assert description["labels"] == {"background": 0, written[0]: 1, written[1]: 2, "ignore": 3}
    back = read_dataset(tmp_path / "out")
    back.schema.check_names()
    assert back.schema.names == tuple(name.strip() for name in written)
    assert back.schema.values == ((1, 2) if layout == "nnunet" else (3, 8))
    assert back.ignore == (3 if layout == "nnunet" else None)


def two_channels(folder: Path, first: Volume, second: Volume) -> CaseFiles:
    """Write two channels, and a label map on the grid of the first."""
    write_volume(folder / "t1.nrrd", first)
    write_volume(folder / "adc.nrrd", second)
    labels = np.zeros(first.grid.shape, np.uint8)
    labels[:2] = 3
    write_labels(folder / "l.seg.nrrd", labels, first.grid, SCHEMA)
    return CaseFiles("a", (folder / "t1.nrrd", folder / "adc.nrrd"), folder / "l.seg.nrrd")


# Whole numbers to their limits: no type of 32 bits holds those of 32 bits beside fractions or a sign.
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("int16", "float32"),
        ("float32", "uint16"),
        ("int32", "float32"),
        ("uint32", "float32"),
        ("int16", "uint16"),
        ("int32", "uint32"),
        ("uint8", "float64"),
    ],
)
def test_channels_of_different_types_keep_every_value_in_one_4d_file(
    tmp_path: Path, first: str, second: str
) -> None:
    grid = make_phantom(0, (12, 16, 14)).image.grid
    made = []
    for seed, kind in enumerate((first, second)):
        noise = np.random.default_rng(seed).normal(size=grid.shape)
        if np.dtype(kind).kind in "iu":
            limits = np.iinfo(kind)
            noise = np.random.default_rng(seed).integers(limits.min, limits.max, grid.shape, endpoint=True)
        made.append(Volume(noise.astype(kind), grid))
    write_dataset(tmp_path / "d", "d", SCHEMA, ("T1", "ADC"), [two_channels(tmp_path, *made)], "decathlon")
    (case,) = read_dataset(tmp_path / "d").cases
    for before, after in zip(made, read_channels(case.channels, 2), strict=True):
        np.testing.assert_array_equal(after.array.astype(np.float64), before.array.astype(np.float64))


@pytest.mark.parametrize("off_mm", [1e-5, 1e-4, 1e-3, 5e-3])
def test_channels_whose_headers_are_rounded_differently_make_one_4d_file(
    tmp_path: Path, off_mm: float
) -> None:
    image = make_phantom(0, (12, 16, 14)).image
    x, y, z = image.grid.origin_mm
    near = replace(image.grid, origin_mm=(x + off_mm, y, z))
    assert near.agrees_with(image.grid)
    case = two_channels(tmp_path, image, Volume(image.array, near))
    write_dataset(tmp_path / "d", "d", SCHEMA, ("T1", "ADC"), [case], "decathlon")
    (case_back,) = read_dataset(tmp_path / "d").cases
    for volume in read_channels(case_back.channels, 2):
        assert volume.grid.agrees_with(image.grid)
        np.testing.assert_array_equal(volume.array, image.array)


def test_a_channel_that_was_replaced_by_one_on_another_grid_is_named(tmp_path: Path) -> None:
    image = make_phantom(0, (12, 16, 14)).image
    case = two_channels(tmp_path, image, make_phantom(0, (10, 16, 14)).image)
    with pytest.raises(GridError, match=r"adc\.nrrd lies on another grid than .*t1\.nrrd") as caught:
        write_dataset(tmp_path / "d", "d", SCHEMA, ("T1", "ADC"), [case], "decathlon")
    assert caught.value.remedy
    assert not (tmp_path / "d").exists()


def test_a_data_set_is_whole_or_not_there(tmp_path: Path, cases: list[CaseFiles]) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        write_dataset(out, "k", SCHEMA, ("MR",), cases, "nnunet", stop)
    assert not out.exists()
    with pytest.raises(DataError, match="No case is annotated"):
        write_dataset(out, "k", SCHEMA, ("MR",), cases[2:], "nnunet")
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="not empty"):
        write_dataset(out, "k", SCHEMA, ("MR",), cases, "nnunet")


# MITK


def task_list(folder: Path, tasks: list[dict[str, str]], **more: object) -> Path:
    path = folder / "tasks.json"
    content = {"FileFormat": "MITK Segmentation Task List", "Version": 1, "Name": "List", "Tasks": tasks}
    path.write_text(json.dumps({**content, **more}), encoding="utf-8")
    return path


def test_tasks_that_are_done_are_annotated_cases(tmp_path: Path, cases: list[CaseFiles]) -> None:
    path = task_list(
        tmp_path,
        [
            {"Name": "One", "Image": "0.nii.gz", "Result": "0.seg.nrrd"},
            {"Name": "Two", "Image": "1.nrrd", "Result": "later.nrrd", "Segmentation": "1.seg.nrrd"},
        ],
    )
    name, found = read_task_list(path)
    assert name == "List"
    assert [(case.name, case.labels) for case in found] == [("One", tmp_path / "0.seg.nrrd"), ("Two", None)]


def test_tasks_named_after_organs_give_one_case_for_an_image(tmp_path: Path, cases: list[CaseFiles]) -> None:
    tasks = [{"Name": "Liver", "Result": "a.nrrd"}, {"Name": "Spleen", "Result": "0.seg.nrrd"}]
    _, found = read_task_list(task_list(tmp_path, tasks, Defaults={"Image": "0.nii.gz"}))
    assert [(case.name, case.labels) for case in found] == [("Liver", tmp_path / "0.seg.nrrd")]
    tasks = [{"Name": "Liver", "Image": "0.nii.gz"}, {"Name": "Liver", "Image": "1.nrrd"}]
    _, found = read_task_list(task_list(tmp_path, tasks))
    assert [case.name for case in found] == ["0", "1"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"FileFormat": "something"}, "not a MITK Segmentation Task List"),
        ({"Version": 9}, "not a MITK Segmentation Task List"),
        ({"Tasks": []}, "not a MITK Segmentation Task List"),
        ({"Tasks": [{"Result": "a.nrrd"}]}, "names no image"),
        ({"Tasks": [{"Image": "gone.nrrd"}]}, "does not exist"),
        ({"Tasks": [{"Image": "../own.nrrd"}]}, "outside its folder"),
        ({"Tasks": [{"Image": "1.nrrd", "Result": "../own.seg.nrrd"}]}, "outside its folder"),
        (
            {
                "Tasks": [
                    {"Image": "1.nrrd", "Result": "1.seg.nrrd"},
                    {"Image": "1.nrrd", "Result": "0.seg.nrrd"},
                ]
            },
            "Several tasks",
        ),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(
    tmp_path: Path, cases: list[CaseFiles], more: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_task_list(task_list(tmp_path, [], **more))
    assert caught.value.remedy
