"""What the panels remember from one start of 3D Slicer to the next."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import qt

T = TypeVar("T")

_GROUP = "MedSSL"


class Settings:
    """Values by name in Slicer's own settings, kept as JSON so that every type comes back as it went."""

    def value(self, name: str, default: T) -> T:
        """Return what was remembered; `default` when nothing of its type was."""
        text = qt.QSettings().value(f"{_GROUP}/{name}")
        try:
            found = json.loads(str(text)) if text is not None else default
        except ValueError:
            return default
        return found if isinstance(found, type(default)) else default

    def texts(self, name: str) -> tuple[str, ...]:
        """Return remembered texts; none when nothing was remembered."""
        nothing: list[str] = []
        return tuple(str(each) for each in self.value(name, nothing))

    def remember(self, name: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        qt.QSettings().setValue(f"{_GROUP}/{name}", json.dumps(value))

    def forget(self, name: str) -> None:
        """Remember nothing under a name."""
        qt.QSettings().remove(f"{_GROUP}/{name}")
