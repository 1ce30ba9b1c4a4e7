"""Keys that work only while a panel is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer


class Shortcuts:
    """Keys of the main window, each on only when its panel is shown and its action makes sense."""

    def __init__(self) -> None:
        self._shortcuts: dict[str, Any] = {}
        self._wanted: dict[str, bool] = {}
        self._entered = False

    def add(self, keys: str, do: Callable[[], Any]) -> None:
        """Have `keys`, such as 'A' or 'Ctrl+Z', do something."""
        shortcut = qt.QShortcut(qt.QKeySequence(keys), slicer.util.mainWindow())
        shortcut.enabled = False
        shortcut.setAutoRepeat(False)  # a key that is held would decide about cases that nobody has seen
        # Not `activatedAmbiguously`: of keys that two want, Qt would give us every other press.
        shortcut.activated.connect(lambda *_: do())
        self._shortcuts[keys] = shortcut
        self._wanted[keys] = False

    def allow(self, keys: str, allowed: bool) -> None:
        """Say whether what the keys do makes sense now."""
        self._wanted[keys] = allowed
        self._shortcuts[keys].enabled = allowed and self._entered

    def enter(self) -> None:
        """The panel is shown."""
        self._entered = True
        self._update()

    def exit(self) -> None:
        """The panel is not shown any more."""
        self._entered = False
        self._update()

    def close(self) -> None:
        """Give the keys back for good."""
        for shortcut in self._shortcuts.values():
            shortcut.enabled = False
            shortcut.deleteLater()
        self._shortcuts.clear()

    def _update(self) -> None:
        for keys, shortcut in self._shortcuts.items():
            shortcut.enabled = self._wanted[keys] and self._entered
