"""The segments of a project while a person edits them, and where they can come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import backend, terminology
from MedSSLLib.problems import Problem
from MedSSLLib.segmentations import SegmentState

if TYPE_CHECKING:
    from medssl.client import Segment

# Distinct in light and dark views and for the common color-vision deficiencies (Okabe and Ito, 2008).
_PALETTE = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
            (204, 121, 167))  # fmt: skip
_LARGEST_VALUE = 254  # 255 is 'not annotated'
_UNANNOTATED_NAME = "Not annotated"  # what the engine's files call it


@dataclass(frozen=True)
class SegmentDraft:
    """A segment on its way into a label schema.

    Attributes:
        value: its number in every label map; it never changes once a project has it.
        is_new: whether no project has it yet, so that it can still be taken out.
        terminology: the engine's mapping of codes; None without a code.
    """

    name: str
    value: int
    color: tuple[int, int, int]
    terminology: Optional[Mapping[str, Any]] = None
    largest_component: bool = False
    is_new: bool = True


@dataclass(frozen=True)
class Template:
    """A label schema to begin with."""

    title: str
    description: str
    segments: tuple[SegmentDraft, ...]
    mirror_axes: tuple[str, ...]


def drafts_of(segments: Iterable[Segment]) -> tuple[SegmentDraft, ...]:
    """The segments that a project has."""
    return tuple(
        SegmentDraft(s.name, s.value, s.colour, s.terminology, s.largest_component, is_new=False)
        for s in segments
    )


def drafts_of_scene(found: Sequence[SegmentState]) -> tuple[SegmentDraft, ...]:
    """The segments of a segmentation in the scene, with their names, colors and codes."""
    return tuple(
        SegmentDraft(each.name, value, each.color, terminology.terminology_of(each.terminology))
        for value, each in enumerate(found, start=1)
    )


def added(segments: Sequence[SegmentDraft], name: str = "") -> tuple[SegmentDraft, ...]:
    """The segments and a new one, with the next value and color."""
    taken = {each.value for each in segments}
    value = next((v for v in range(1, _LARGEST_VALUE + 1) if v not in taken), None)
    if value is None:
        raise Problem(_("A project can have 254 segments at most."))
    color = _PALETTE[len(segments) % len(_PALETTE)]
    name = name or _("Segment {value}").format(value=value)
    return (*segments, SegmentDraft(name, value, color))


def free_names(names: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Names that a project can have beside those that are taken: the second 'Cyst' becomes 'Cyst 2'."""
    used = {" ".join(each.split()).casefold() for each in (*taken, _UNANNOTATED_NAME)}
    found: list[str] = []
    for each in names:
        plain = " ".join(each.split()) or _("Segment")
        numbered = (f"{plain} {number}" for number in count(2))
        free = next(name for name in chain([plain], numbered) if name.casefold() not in used)
        used.add(free.casefold())
        found.append(free)
    return found


def with_scene_segments(
    segments: Sequence[SegmentDraft], found: Iterable[SegmentState]
) -> tuple[SegmentDraft, ...]:
    """The segments and those of the scene that were missing, which get the next values."""
    result = tuple(segments)
    for each in found:
        result = added(result, each.name)
        code = terminology.terminology_of(each.terminology)
        result = (*result[:-1], replace(result[-1], color=each.color, terminology=code))
    return result


def schema_of(segments: Sequence[SegmentDraft], mirror_axes: Sequence[str]) -> dict[str, Any]:
    """Write segments as the engine's label schema.

    Raises:
        Problem: there is none, a name is empty or reserved, or two have one name.
    """
    names = [" ".join(each.name.split()) for each in segments]
    if not names:
        raise Problem(_("A project needs at least one segment."), _("Press 'Add segment'."))
    if not all(names):
        raise Problem(_("A segment has no name."), _("Give every segment a name."))
    folded = [name.casefold() for name in names]
    if _UNANNOTATED_NAME.casefold() in folded:
        text = _("No segment can be called '{name}': files mean by it where nobody looked.")
        raise Problem(text.format(name=_UNANNOTATED_NAME), _("Give each a name of its own."))
    twice = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if twice:
        raise Problem(
            _("Two segments are called '{name}'.").format(name=twice[0]), _("Give each a name of its own.")
        )
    return {
        "segments": [
            {
                "name": name,
                "value": each.value,
                "colour": list(each.color),
                "terminology": each.terminology,
                "largest_component": each.largest_component,
            }
            for name, each in zip(names, segments)
        ],
        "mirror_axes": list(mirror_axes),
    }


def read_templates() -> tuple[Template, ...]:
    """Read the label schemas that come with MedSSL; a few small files."""
    here = backend.backend_folder()
    folders = (here / "medssl" / "label_schemas", here.parent / "Resources" / "LabelSchemas")
    paths = next((sorted(folder.glob("*.json")) for folder in folders if folder.is_dir()), [])
    return tuple(_template(path) for path in paths)


def known_codes(templates: Iterable[Template]) -> dict[str, Mapping[str, Any]]:
    """All codes of the templates, by what a person reads."""
    found = {
        terminology.label_of(each.terminology): each.terminology
        for template in templates
        for each in template.segments
        if each.terminology
    }
    return dict(sorted(found.items()))


def _template(path: Path) -> Template:
    found = json.loads(path.read_text(encoding="utf-8"))
    schema = found["label_schema"]
    segments = tuple(
        SegmentDraft(
            each["name"],
            each["value"],
            tuple(each["colour"]),
            each.get("terminology"),
            each.get("largest_component", False),
        )
        for each in schema["segments"]
    )
    return Template(found["title"], found["description"], segments, tuple(schema.get("mirror_axes", ())))
