"""Label maps keep their values, and segmentations their names, colours and codes, from file to file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import ImageError, LabelError
from medssl.imaging.labels import LabelVolume, match_schema, read_labels, write_labels
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import Code, LabelSchema, Segment, Terminology

ANATOMY = Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
SCHEMA = LabelSchema(
    segments=(
        Segment(
            name="Left atrium — links",
            value=7,
            colour=(1, 127, 254),
            terminology=Terminology(
                category=ANATOMY,
                type=Code(value="59652004", scheme="SCT", meaning="Atrium"),
                type_modifier=Code(value="7771000", scheme="SCT", meaning="Left"),
                region=Code(value="80891009", scheme="SCT", meaning="Heart"),
            ),
        ),
        Segment(name="Wall | ~ ^ := 100 %", value=254, colour=(0, 0, 0)),
        Segment(name="Never drawn", value=3, colour=(255, 255, 255)),
    )
)


def values_on(grid: Grid) -> np.ndarray:
    values = np.random.default_rng(0).choice([0, 7, 254], size=grid.shape).astype(np.uint8)
    values[0, 0, :2] = 7, 254
    return values


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha"])
def test_values_come_back_on_the_same_grid(suffix: str, oblique: Volume, tmp_path: Path) -> None:
    path, values = tmp_path / f"labels{suffix}", values_on(oblique.grid)
    values[1, 1, 1] = 255
    write_labels(path, values, oblique.grid, SCHEMA)
    labels = read_labels(path)
    assert np.array_equal(labels.volume.array, values)
    assert labels.volume.array.dtype == np.uint8
    assert labels.volume.grid.agrees_with(oblique.grid)
    assert (labels.segments is None) == (suffix != ".seg.nrrd")


def test_a_segmentation_keeps_everything_about_its_segments(oblique: Volume, tmp_path: Path) -> None:
    path = tmp_path / "labels.seg.nrrd"
    write_labels(path, values_on(oblique.grid), oblique.grid, SCHEMA)
    assert read_labels(path).segments == SCHEMA.segments


def test_names_that_differ_in_case_alone_stay_two_segments_and_spaces_do_not_matter(tmp_path: Path) -> None:
    path, grid = tmp_path / "labels.seg.nrrd", Grid((4, 1, 1), (1.0, 1.0, 1.0))
    values = np.array([[[1, 2, 3, 0]]], np.uint8)
    schema = LabelSchema.of_names({1: "Cyst", 2: "cyst", 3: "Left  kidney"})
    write_labels(path, values, grid, schema)
    assert np.array_equal(match_schema(read_labels(path), schema, "labels").array, values)
    other = LabelSchema.of_names({7: "Left  kidney", 8: "cyst", 9: "Cyst"})
    assert match_schema(read_labels(path), other, "labels").array.ravel().tolist() == [9, 8, 7, 0]


def test_names_from_before_utf_8_and_odd_colours_are_no_obstacle(tmp_path: Path) -> None:
    path, grid = tmp_path / "labels.seg.nrrd", Grid((4, 3, 2), (1.0, 1.0, 1.0))
    schema = LabelSchema.of_names({1: "Niere", 2: "Kidney"})
    write_labels(path, np.ones(grid.shape, np.uint8), grid, schema)
    content = path.read_bytes()
    colours = [" ".join(f"{part / 255:.9g}" for part in segment.colour) for segment in schema.segments]
    for before, after in (
        (b"Name:=Niere", "Name:=L\u00e9sion".encode("latin-1")),
        (f"Color:={colours[0]}".encode(), b"Color:=0..5 . 0.1.2"),
        (f"Color:={colours[1]}".encode(), b"Color:=1e999 2 .5"),
    ):
        assert before in content
        content = content.replace(before, after)
    path.write_bytes(content)
    first, second = read_labels(path).segments or ()
    assert (first.name, second.name) == ("L\u00e9sion", "Kidney")
    assert second.colour == (255, 255, 128)


def test_signs_that_part_a_terminology_entry_do_not_break_it(tmp_path: Path) -> None:
    odd = Code(value="A^1", scheme="99~X", meaning="one|two\nthree")
    segment = Segment(
        name="odd", value=1, colour=(9, 9, 9), terminology=Terminology(category=ANATOMY, type=odd)
    )
    grid = Grid((2, 2, 2), (1.0, 1.0, 1.0))
    write_labels(
        tmp_path / "a.seg.nrrd", np.ones(grid.shape, np.uint8), grid, LabelSchema(segments=(segment,))
    )
    read = read_labels(tmp_path / "a.seg.nrrd").segments
    assert read is not None
    assert read[0].terminology == Terminology(
        category=ANATOMY, type=Code(value="A 1", scheme="99 X", meaning="one two three")
    )


def test_label_maps_of_other_types_are_read_when_they_hold_whole_numbers(tmp_path: Path) -> None:
    grid = Grid((3, 3, 3), (1.0, 1.0, 1.0))
    values = np.random.default_rng(0).integers(0, 256, grid.shape)
    for kind in ("i2", "u4", "f4", "f8", "i8"):
        write_volume(tmp_path / f"{kind}.nii.gz", Volume(values.astype(kind), grid))
        assert np.array_equal(read_labels(tmp_path / f"{kind}.nii.gz").volume.array, values)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize(
    ("kind", "value", "error", "words"),
    [
        ("f4", 0.5, ImageError, "fractions"),
        ("f4", np.nan, ImageError, "NaN"),
        ("f8", np.inf, ImageError, "infinity"),
        ("i2", -1, LabelError, "from -1 to 0"),
        ("i2", 256, LabelError, "from 0 to 256"),
    ],
)
def test_what_is_no_label_map_is_refused_with_the_file_and_the_numbers(
    suffix: str, kind: str, value: float, error: type[Exception], words: str, tmp_path: Path
) -> None:
    array = np.zeros((3, 3, 3), kind)
    array[1, 1, 1] = value
    path = tmp_path / f"labels{suffix}"
    write_volume(path, Volume(array, Grid((3, 3, 3), (1.0, 1.0, 1.0))))
    with pytest.raises(error, match=words) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)


def test_a_picture_is_no_label_map(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((10, 11), np.uint8)), str(tmp_path / "a.nrrd"))
    with pytest.raises(ImageError, match="two dimensions"):
        read_labels(tmp_path / "a.nrrd")


def test_values_that_do_not_lie_on_the_grid_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"\(2, 2, 2\)"):
        write_labels(
            tmp_path / "a.nrrd", np.zeros((2, 2, 2), np.uint8), Grid((3, 2, 2), (1.0, 1.0, 1.0)), SCHEMA
        )
    assert list(tmp_path.iterdir()) == []


def drawn(values: list[int], segments: list[tuple[str, int]] | None) -> LabelVolume:
    array = np.array(values, np.uint8).reshape(1, 1, -1)
    named = (
        None if segments is None else tuple(Segment(name=n, value=v, colour=(1, 2, 3)) for n, v in segments)
    )
    return LabelVolume(Volume(array, Grid((len(values), 1, 1), (1.0, 1.0, 1.0))), named)


ORGANS = LabelSchema.of_names({1: "Liver", 5: "Spleen"})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # 3D Slicer numbers segments anew, in their order: names decide.
        (drawn([0, 1, 2, 255], [("Spleen", 1), ("liver ", 2)]), [0, 5, 1, 255]),
        (drawn([0, 1, 5], [("Liver", 1), ("Spleen", 5)]), [0, 1, 5]),
        # A name that nobody drew is no matter.
        (drawn([0, 5], [("Liver", 5), ("Kidney", 1)]), [0, 1]),
        # Nobody named them: the values decide.
        (drawn([0, 5, 1], [("Segment_1", 5), ("Segment_2", 1)]), [0, 5, 1]),
        (drawn([0, 5, 1], [("New label 1", 5), ("2", 1)]), [0, 5, 1]),
        (drawn([0, 5, 1], None), [0, 5, 1]),
        (drawn([0, 0, 0], [("Liver", 1)]), [0, 0, 0]),
    ],
)
def test_segments_get_the_values_of_the_project(labels: LabelVolume, expected: list[int]) -> None:
    assert match_schema(labels, ORGANS, "labels").array.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (drawn([1, 2], [("Liver", 1), ("Kidney", 2)]), "a.seg.nrrd holds .* Kidney"),
        # Other segments with the project's values are others all the same.
        (drawn([1, 5], [("Kidney", 1), ("Liver tumour", 5)]), "a.seg.nrrd holds .*: Kidney, Liver tumour"),
        (drawn([1, 5], [("Segment_1", 1), ("Kidney", 5)]), "a.seg.nrrd holds .* Kidney"),
        (drawn([1, 9], [("Liver", 1)]), "a.seg.nrrd holds .* value 9 without a name"),
        (drawn([1, 9], None), "a.seg.nrrd holds the label value 9"),
        (drawn([2], [("Segment_1", 2)]), "a.seg.nrrd holds the label value 2"),
    ],
)
def test_segments_that_the_project_does_not_know_are_refused_by_name(labels: LabelVolume, words: str) -> None:
    with pytest.raises(LabelError, match=words):
        match_schema(labels, ORGANS, "a.seg.nrrd")
