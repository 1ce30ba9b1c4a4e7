from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from medssl.errors import DataError, UsageError
from medssl.exchange.datasets import read_dataset


def make(folder: Path, files: list[str], **description: Any) -> Path:
    """Lay out a dataset; reading one opens no volume, so that empty files do."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


DECATHLON: dict[str, Any] = {
    "name": "Hippocampus",
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "2": "posterior", "1": "anterior"},
    "training": [
        {"image": "./imagesTr/b_003.nii.gz", "label": "./labelsTr/b_003.nii.gz"},
        {"image": "./imagesTr/a_001.nii.gz", "label": "./labelsTr/a_001.nii.gz"},
    ],
    "test": ["./imagesTs/c_002.nii.gz"],
}
DECATHLON_FILES = [
    "imagesTr/b_003.nii.gz",
    "imagesTr/a_001.nii.gz",
    "labelsTr/b_003.nii.gz",
    "labelsTr/a_001.nii.gz",
    "imagesTs/c_002.nii.gz",
]
NNUNET: dict[str, Any] = {
    "channel_names": {"0": "T2", "1": "ADC"},
    "labels": {"background": 0, "peripheral zone": 1, "transition zone": 2},
    "file_ending": ".nii.gz",
}


def test_a_decathlon_dataset_keeps_its_order_names_and_test_cases(tmp_path: Path) -> None:
    dataset = read_dataset(make(tmp_path, DECATHLON_FILES, **DECATHLON))
    assert dataset.name == "Hippocampus"
    assert dataset.channel_names == ("MRI",)
    assert [(s.value, s.name) for s in dataset.schema.segments] == [(1, "anterior"), (2, "posterior")]
    assert [(case.name, case.test) for case in dataset.cases] == [
        ("b_003", False),
        ("a_001", False),
        ("c_002", True),
    ]
    assert dataset.cases[0].channels == (tmp_path / "imagesTr/b_003.nii.gz",)
    assert dataset.cases[0].labels == tmp_path / "labelsTr/b_003.nii.gz"
    assert dataset.cases[2].labels is None


def test_an_nnunet_dataset_has_one_file_a_channel_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    files = [f"imagesTr/case_00007_{n:04}.nii.gz" for n in (1, 0)] + ["labelsTr/case_00007.nii.gz"]
    files += [f"imagesTs/case_00009_{n:04}.nii.gz" for n in (0, 1)]
    dataset = read_dataset(make(tmp_path, files, **NNUNET))
    assert dataset.name == tmp_path.name
    assert dataset.schema.names == ("peripheral zone", "transition zone")
    first, second = dataset.cases
    assert [path.name for path in first.channels] == ["case_00007_0000.nii.gz", "case_00007_0001.nii.gz"]
    assert first.name == "case_00007"
    assert first.labels == tmp_path / "labelsTr/case_00007.nii.gz"
    assert second.test
    assert second.labels is None


def test_nnunets_first_version_lists_names_without_the_channel_number(tmp_path: Path) -> None:
    files = [
        name.replace(".nii.gz", "_0000.nii.gz") if "images" in name else name for name in DECATHLON_FILES
    ]
    dataset = read_dataset(make(tmp_path, files, **DECATHLON))
    assert dataset.cases[0].name == "b_003"
    assert dataset.cases[0].channels == (tmp_path / "imagesTr/b_003_0000.nii.gz",)


def test_a_name_that_only_looks_like_a_channel_number_stays(tmp_path: Path) -> None:
    names = ["scan_0000.nrrd", "scan_0001.nrrd"]
    training = [{"image": f"imagesTr/{n}", "label": f"labelsTr/{n}"} for n in names]
    files = [f"{part}/{n}" for n in names for part in ("imagesTr", "labelsTr")]
    dataset = read_dataset(make(tmp_path, files, **{**DECATHLON, "training": training, "test": []}))
    assert [case.name for case in dataset.cases] == ["scan_0000", "scan_0001"]


def test_a_list_of_channels_a_case_is_taken_as_it_stands(tmp_path: Path) -> None:
    channels = ["imagesTr/p1_0000.mha", "imagesTr/p1_0001.mha"]
    dataset = read_dataset(make(tmp_path, channels, **NNUNET, training=[{"image": channels}]))
    assert [case.name for case in dataset.cases] == ["p1"]
    assert dataset.cases[0].labels is None


def test_labels_of_test_cases_and_hidden_files_are_handled(tmp_path: Path) -> None:
    files = [*DECATHLON_FILES, "labelsTs/c_002.nii.gz", "imagesTr/._a_001.nii.gz", "imagesTr/.DS_Store"]
    unlisted = {**DECATHLON, "training": [], "test": []}
    dataset = read_dataset(make(tmp_path, files, **unlisted))
    assert [case.name for case in dataset.cases] == ["a_001", "b_003", "c_002"]
    assert dataset.cases[2].labels == tmp_path / "labelsTs/c_002.nii.gz"


def test_a_case_that_is_said_to_have_no_label_gets_none_whatever_lies_beside_it(tmp_path: Path) -> None:
    files = ["imagesTr/a.nii.gz", "imagesTr/b.nii.gz", "labelsTr/a.nii.gz", "labelsTr/b.nii.gz"]
    training = [{"image": "imagesTr/a.nii.gz", "label": None}, {"image": "imagesTr/b.nii.gz"}]
    dataset = read_dataset(
        make(tmp_path, files, modality={"0": "CT"}, labels={"1": "liver"}, training=training)
    )
    assert [case.labels for case in dataset.cases] == [None, tmp_path / "labelsTr" / "b.nii.gz"]


def test_training_and_test_cases_of_one_name_are_told_apart(tmp_path: Path) -> None:
    files = ["imagesTr/a.nii.gz", "imagesTs/a.nii.gz"]
    dataset = read_dataset(make(tmp_path, files, modality={"0": "CT"}, labels={"1": "liver"}))
    assert [case.name for case in dataset.cases] == ["a", "a_test"]


def test_the_value_255_is_not_a_segment(tmp_path: Path) -> None:
    labels = {"background": 0, "liver": 1, "ignore": 255}
    dataset = read_dataset(make(tmp_path, ["imagesTr/a.nii.gz"], modality={"0": "CT"}, labels=labels))
    assert dataset.schema.names == ("liver",)


@pytest.mark.parametrize(
    ("labels", "ignore"),
    [
        ({"background": 0, "liver": 1, "ignore": 2}, 2),
        ({"background": "0", "liver": "1", "Ignore": "2"}, 2),
        ({"0": "background", "1": "liver", "2": "ignore"}, 2),
        ({"0": "background", "1": "liver", "255": "ignore"}, None),
    ],
)
def test_voxels_that_nobody_annotated_are_found_however_they_are_named(
    tmp_path: Path, labels: dict[str, Any], ignore: int | None
) -> None:
    dataset = read_dataset(make(tmp_path, ["imagesTr/a.nii.gz"], modality={"0": "CT"}, labels=labels))
    assert dataset.schema.names == ("liver",)
    assert dataset.ignore == ignore


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": {"0": "background"}}, "no label but the background"),
        ({"labels": {"liver": [1, 2]}}, "region of several values"),
        ({"labels": {"liver": 1, "kidney": 1}}, "two labels"),
        ({"labels": {"1": "liver", "2": "liver"}}, "same name"),
        ({"labels": {"liver": "many"}}, "has no number"),
        ({"labels": {"300": "liver"}}, "1 to 254"),
        ({"labels": {"²": "liver"}}, "has no number"),
        ({"labels": {"9" * 5000: "liver"}}, "has no number"),
        ({"labels": None}, "not a dataset's description"),
        ({"modality": None}, "names no channels"),
        ({"modality": {"1": "CT"}}, "without gaps"),
        ({"modality": {"CT": "0"}}, "Number them 0, 1, 2"),
        (
            {"training": [{"image": "imagesTr/gone.nii.gz"}]},
            "gone.nii.gz, which dataset.json lists, does not exist",
        ),
        (
            {"training": [{"image": "imagesTr/a_001.nii.gz", "label": "labelsTr/gone.nii.gz"}]},
            "the entry's label",
        ),
        ({"training": [{"image": []}]}, "without an image"),
        ({"training": DECATHLON["training"] * 2}, "twice"),
        ({"training": [{"image": "../own.nii.gz"}]}, "outside its folder"),
        ({"training": [{"image": "imagesTr/../../own.nii.gz"}]}, "outside its folder"),
        ({"training": [{"image": "imagesTr/a_001.nii.gz", "label": "../own.nii.gz"}]}, "outside its folder"),
        ({"test": [str(Path("/own.nii.gz").absolute())]}, "outside its folder"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_remedy(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    (tmp_path / "own.nii.gz").touch()
    folder = make(tmp_path / "dataset", DECATHLON_FILES, **{**DECATHLON, **change})
    with pytest.raises(DataError, match=r"dataset\.json") as caught:
        read_dataset(folder)
    assert words in str(caught.value)
    assert caught.value.remedy


def test_links_in_a_dataset_and_roundabout_names_lead_where_they_lead(tmp_path: Path) -> None:
    (tmp_path / "own.nii.gz").touch()
    listed = [{"image": "imagesTr/linked.nii.gz"}, {"image": "imagesTr/../imagesTr/a_001.nii.gz"}]
    folder = make(tmp_path / "dataset", DECATHLON_FILES, **{**DECATHLON, "training": listed})
    (folder / "imagesTr" / "linked.nii.gz").symlink_to(tmp_path / "own.nii.gz")
    linked, roundabout, _ = read_dataset(folder).cases
    assert linked.channels == (folder / "imagesTr" / "linked.nii.gz",)
    assert roundabout.channels == (folder / "imagesTr" / "a_001.nii.gz",)


def test_a_folder_that_is_no_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no dataset\.json"):
        read_dataset(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        read_dataset(tmp_path / "gone")


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00\x01", "[" * 100_000])
def test_a_broken_description_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(DataError, match=r"dataset\.json"):
        read_dataset(tmp_path)


def test_a_dataset_without_scans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no scans"):
        read_dataset(make(tmp_path, [], modality={"0": "CT"}, labels={"1": "liver"}))
