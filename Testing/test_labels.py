from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from medssl.errors import LabelError
from medssl.labels import PALETTE, UNANNOTATED, Code, LabelSchema, Segment, Terminology, count_values
from pydantic import ValidationError

SCHEMA = LabelSchema.of_names({3: "Head", 7: "Body"})


@st.composite
def _schemas(draw: st.DrawFn) -> LabelSchema:
    values = draw(st.lists(st.integers(1, 254), min_size=1, max_size=8, unique=True))
    return LabelSchema(
        segments=tuple(Segment(name=f"S{value}", value=value, colour=PALETTE[0]) for value in values)
    )


@settings(max_examples=50)
@given(_schemas(), st.data())
def test_classes_and_values_are_each_others_inverse(schema: LabelSchema, data: st.DataObject) -> None:
    known = st.sampled_from([0, UNANNOTATED, *schema.values])
    values = data.draw(npst.arrays(np.uint8, (2, 3, 4), elements=known))
    classes = schema.to_classes(values)
    assert classes.dtype == np.uint8
    assert set(np.unique(classes)) <= {UNANNOTATED, *range(schema.class_count)}
    np.testing.assert_array_equal(schema.to_values(classes), values)


@settings(max_examples=50)
@given(_schemas())
def test_a_schema_survives_json_as_it_is(schema: LabelSchema) -> None:
    assert LabelSchema.model_validate_json(schema.model_dump_json()) == schema


def test_classes_follow_the_order_of_the_segments_and_not_their_values() -> None:
    turned = LabelSchema(segments=tuple(reversed(SCHEMA.segments)))
    assert turned.to_classes(np.array([3, 7])).tolist() == [2, 1]
    assert turned.values == (7, 3)
    assert turned.names == ("Body", "Head")


def test_a_value_that_no_segment_has_becomes_not_annotated() -> None:
    assert SCHEMA.to_classes(np.array([5, 0, 255])).tolist() == [UNANNOTATED, 0, UNANNOTATED]


@pytest.mark.parametrize("value", [-1, 256, 259])
def test_numbers_that_are_no_label_values_never_turn_into_others(value: int) -> None:
    with pytest.raises(LabelError, match=str(value)):
        SCHEMA.to_classes(np.array([0, value]))
    with pytest.raises(LabelError, match=str(value)):
        SCHEMA.to_values(np.array([0, value]))


def test_known_values_pass_and_unknown_ones_are_named_with_the_file() -> None:
    SCHEMA.check([0, 3, 7, 255], "a.nrrd")
    with pytest.raises(LabelError, match=r"a\.nrrd holds the label values 1, 9") as caught:
        SCHEMA.check([9, 1, 3], "a.nrrd")
    assert "3 (Head), 7 (Body)" in caught.value.remedy


def test_the_palette_gives_each_segment_a_colour_however_many_there_are() -> None:
    many = LabelSchema.of_names({value: f"S{value}" for value in range(1, 255)})
    assert many.class_count == 255
    assert many.segments[0].colour != many.segments[1].colour


@pytest.mark.parametrize(
    ("segments", "says"),
    [
        ([], "at least one segment"),
        ([("A", 1), ("B", 1)], "same value: 1"),
        ([("A", 1), ("A", 2)], "same name: A"),
        ([("A", 0)], "greater than or equal to 1"),
        ([("A", 255)], "less than or equal to 254"),
        ([("", 1)], "at least 1 character"),
    ],
)
def test_a_schema_that_means_nothing_is_refused(segments: list[tuple[str, int]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        LabelSchema(segments=tuple(Segment(name=n, value=v, colour=(0, 0, 0)) for n, v in segments))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["Not annotated", "B"], "called 'Not annotated'"),
        (["B", " not  Annotated"], "called 'not Annotated'"),
        (["A b", "A  b"], "Two segments are called 'A b'"),
        (["A", " "], "no name"),
    ],
)
def test_names_that_files_cannot_tell_apart_are_refused(names: list[str], says: str) -> None:
    schema = LabelSchema.of_names(dict(enumerate(names, start=1)))  # as an older project may have it
    with pytest.raises(LabelError, match=says) as caught:
        schema.check_names()
    assert caught.value.remedy
    LabelSchema.of_names({1: "Cyst", 2: "cyst", 3: "Left  kidney"}).check_names()


def test_a_code_travels_with_its_segment() -> None:
    heart = Terminology(
        category=Code(value="123037004", scheme="SCT", meaning="Anatomical Structure"),
        type=Code(value="80891009", scheme="SCT", meaning="Heart"),
    )
    schema = LabelSchema(segments=(Segment(name="Heart", value=1, colour=(1, 2, 3), terminology=heart),))
    assert LabelSchema.model_validate_json(schema.model_dump_json()).segments[0].terminology == heart


def test_values_are_counted_over_all_slices() -> None:
    values = np.array([[[0, 1], [1, 255]], [[1, 0], [7, 7]]], np.uint8)

    counts = count_values(values)

    assert {int(v): int(counts[v]) for v in np.flatnonzero(counts)} == {0: 2, 1: 3, 7: 2, 255: 1}
