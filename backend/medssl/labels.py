"""The label schema: which segments there are, and how they look and are coded everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from medssl.errors import LabelError

BACKGROUND = 0
UNANNOTATED = 255  # 'nobody looked here': never trains, never counts
UNANNOTATED_NAME = "Not annotated"  # the segment that keeps 255 alive when Slicer saves the file again

Colour: TypeAlias = tuple[
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
]
MirrorAxis: TypeAlias = Literal["left-right", "front-back", "up-down"]

# Distinct in light and dark views and for the common colour-vision deficiencies (Okabe and Ito, 2008).
PALETTE: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


class Code(BaseModel):
    """A coded concept, as in DICOM: value, coding scheme and meaning, e.g. `(T-32300, SRT, Left atrium)`."""

    model_config = ConfigDict(frozen=True)

    value: str
    scheme: str
    meaning: str


class Terminology(BaseModel):
    """What a segment is, in DICOM's segment description: category, type, and where it lies."""

    model_config = ConfigDict(frozen=True)

    category: Code
    type: Code
    type_modifier: Code | None = None
    region: Code | None = None
    region_modifier: Code | None = None


class Segment(BaseModel):
    """One structure: its name, its fixed value in every label map, its colour and its code."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(min_length=1)]
    value: Annotated[int, Field(ge=1, le=254)]
    colour: Colour
    terminology: Terminology | None = None
    largest_component: bool = Field(
        default=False, description="Keep only the largest connected component of a prediction."
    )


class LabelSchema(BaseModel):
    """The segments of a project, with values and names that are unique.

    Class indices, which networks use, are 0 for background and 1..F for the segments in this order; values,
    which files use, are whatever the segments say.
    """

    model_config = ConfigDict(frozen=True)

    segments: tuple[Segment, ...]
    mirror_axes: tuple[MirrorAxis, ...] = Field(
        default=(), description="Axes along which the anatomy may be mirrored and stay the same anatomy."
    )

    @model_validator(mode="after")
    def _unique(self) -> LabelSchema:
        if not self.segments:
            raise ValueError("A label schema needs at least one segment.")
        for what, found in (("value", [str(v) for v in self.values]), ("name", list(self.names))):
            twice = sorted({x for x in found if found.count(x) > 1})
            if twice:
                raise ValueError(f"Two segments have the same {what}: {', '.join(twice)}.")
        return self

    @classmethod
    def of_names(cls, names: dict[int, str], mirror_axes: tuple[MirrorAxis, ...] = ()) -> LabelSchema:
        """Make a schema from label values and names, with colours of the standard palette."""
        segments = tuple(
            Segment(name=name, value=value, colour=PALETTE[i % len(PALETTE)])
            for i, (value, name) in enumerate(sorted(names.items()))
        )
        return cls(segments=segments, mirror_axes=mirror_axes)

    @property
    def values(self) -> tuple[int, ...]:
        """The label values, in the order of the segments."""
        return tuple(s.value for s in self.segments)

    @property
    def names(self) -> tuple[str, ...]:
        """The segments' names, in their order."""
        return tuple(s.name for s in self.segments)

    @property
    def class_count(self) -> int:
        """Number of classes a network tells apart, background included."""
        return len(self.segments) + 1

    def find(self, name: str) -> Segment | None:
        """The segment of a name, without regard to case and spaces; of 'Cyst' and 'cyst', the one meant."""
        known = {plain_name(s.name).casefold(): s for s in self.segments}
        known |= {plain_name(s.name): s for s in self.segments}
        return known.get(plain_name(name), known.get(plain_name(name).casefold()))

    def check_names(self) -> None:
        """Refuse names that files cannot tell apart; a project made before this was checked may have them.

        Raises:
            LabelError: a name that is blank or means 'not annotated', or two that differ in spaces alone.
        """
        remedy = "Give every segment a name of its own."
        plain = [plain_name(name) for name in self.names]
        if not all(plain):
            raise LabelError("A segment has no name.", remedy)
        reserved = next((name for name in plain if name.casefold() == UNANNOTATED_NAME.casefold()), None)
        if reserved is not None:
            raise LabelError(
                f"No segment can be called '{reserved}': files mean by it where nobody looked.", remedy
            )
        twice = next((name for name in plain if plain.count(name) > 1), None)
        if twice is not None:
            raise LabelError(f"Two segments are called '{twice}', for spaces tell no names apart.", remedy)

    def check(self, values: Iterable[int], where: str) -> None:
        """Raise `LabelError` when `values` holds one that is neither background, 255 nor a segment's.

        `where` names the file for the person who reads the message.
        """
        unknown = sorted({int(v) for v in values} - set(self.values) - {BACKGROUND, UNANNOTATED})
        if unknown:
            known = ", ".join(f"{s.value} ({s.name})" for s in self.segments)
            raise LabelError(
                f"{where} holds the label {'values' if len(unknown) > 1 else 'value'} "
                f"{', '.join(map(str, unknown))}, which the project does not know.",
                f"It knows {known}; add a segment to the label schema or correct the file.",
            )

    def to_classes(self, values: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Turn label values into class indices (uint8, same shape).

        255 stays 255, and so becomes 255 what the schema does not know; see `check`.

        Raises:
            LabelError: values below 0 or above 255.
        """
        table = np.full(256, UNANNOTATED, dtype=np.uint8)
        table[BACKGROUND] = 0
        for index, value in enumerate(self.values, start=1):
            table[value] = index
        return table[_as_bytes(values)]

    def to_values(self, classes: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Turn class indices back into label values (uint8, same shape); 255 stays 255."""
        table = np.full(256, UNANNOTATED, dtype=np.uint8)
        table[0] = BACKGROUND
        for index, value in enumerate(self.values, start=1):
            table[index] = value
        return table[_as_bytes(classes)]


def plain_name(name: str) -> str:
    """A segment's name as files hold it: without line breaks, and one space between words."""
    return " ".join(name.split())


def count_values(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of the 256 values occurs in a label map (z, y, x).

    Slice by slice, because counting turns what it counts into 64-bit numbers.
    """
    counts = np.zeros(256, np.int64)
    for plane in values:
        counts += np.bincount(plane.ravel(), minlength=256)
    return counts


def _as_bytes(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Turn whole numbers into bytes; a plain cast would turn 256 into background without a word."""
    if values.dtype == np.uint8:
        return np.asarray(values, dtype=np.uint8)
    if values.size and (values.min() < 0 or values.max() > UNANNOTATED):
        raise LabelError(f"A label map holds values from {values.min()} to {values.max()}.", "Use 0 to 255.")
    return values.astype(np.uint8)
