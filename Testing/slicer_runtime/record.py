"""What the real application's Python API offers, read off a running 3D Slicer (`api_record.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "api_record.json"
_WIDGET = "qt.QWidget"


@dataclass(frozen=True)
class RecordedClass:
    """One class of the application as Python code sees it.

    Attributes:
        names: every attribute.
        properties: those that are properties.
        types: of the properties, as 'QString', by their names.
        signals: with their signatures.
        enums: enumerators by the name of their enumeration.
    """

    names: frozenset[str]
    properties: frozenset[str]
    signals: tuple[str, ...]
    enums: dict[str, tuple[str, ...]]
    types: dict[str, str] = field(default_factory=dict)


@cache
def _facts() -> dict[str, dict]:
    return json.loads(_FILE.read_text(encoding="utf-8"))


@cache
def recorded_classes() -> frozenset[str]:
    """Every class that is recorded, as 'qt.QLabel'."""
    return frozenset(_facts()["classes"])


@cache
def recorded_class(name: str) -> RecordedClass:
    """What a class offers, with what it has from QWidget when it is a widget."""
    entry = _facts()["classes"][name]
    names, types = set(entry["names"].split()), dict(entry["properties"])
    if entry["widget"] and name != _WIDGET:
        widget = recorded_class(_WIDGET)
        names |= widget.names
        types = {**widget.types, **types}
    enums = {enum: tuple(values.split()) for enum, values in entry["enums"].items()}
    for enum, values in enums.items():
        names |= {enum, *values}
    return RecordedClass(frozenset(names), frozenset(types), tuple(entry["signals"]), enums, types)


@cache
def recorded_object(part: str) -> RecordedClass:
    """An object of which only the names are recorded, such as 'slicer.app'."""
    return RecordedClass(recorded_names(part), frozenset(), (), {})


@cache
def recorded_names(part: str) -> frozenset[str]:
    """The attributes of 'slicer.app', 'slicer.app.layoutManager()', 'slicer.modules', 'util', ..."""
    facts = _facts()
    if part in facts["modules"]:
        return frozenset(facts["modules"][part].split())
    entry = facts[part]
    return frozenset(entry.split() if isinstance(entry, str) else entry)


def recorded_methods(part: str, name: str) -> frozenset[str]:
    """The methods of a recorded Python class, such as 'ScriptedLoadableModule' / '...Widget'."""
    return frozenset(_facts()[part][name])
