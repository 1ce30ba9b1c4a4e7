"""Reads and changes how a Qt class looks to modules that see properties.

PySide6 keeps two dictionaries for a class and shows the one that belongs to the looking module. This one is
switched to properties before it is imported, so that what it does to a class is seen by such modules only.
"""

from __future__ import annotations

from typing import Any


def own_names(cls: type) -> dict[str, Any]:
    """The class's own attributes."""
    return dict(cls.__dict__)


def put(cls: type, name: str, value: Any) -> None:
    """Give the class an attribute, in place of one that it may have."""
    setattr(cls, name, value)
