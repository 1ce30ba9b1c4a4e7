"""The keys of the Segment Editor, which it installs in the main window as long as it is told to."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtGui, QtWidgets

_PREVIOUS = ("Q", "/", ",", ">")
_NEXT = ("W", "*", ".", "<")


class EditorShortcuts:
    """Makes the QShortcut objects of the original, all in the same window, and takes them away again."""

    def __init__(
        self,
        choose_effect: Callable[[int], None],
        undo: Callable[[], None],
        redo: Callable[[], None],
        step: Callable[[int], None],
        toggle_mask: Callable[[], None],
    ) -> None:
        self._choose_effect, self._undo, self._redo = choose_effect, undo, redo
        self._step, self._toggle_mask = step, toggle_mask
        self._installed: list[QtGui.QShortcut] = []

    def install(self, window: QtWidgets.QWidget) -> None:
        self.uninstall()
        for number in range(1, 11):
            for keys, index in ((f"{number % 10}", number), (f"Shift+{number % 10}", number + 10)):
                self._add(window, keys, lambda index=index: self._choose_effect(index))
        self._add(window, "Escape", lambda: self._choose_effect(0))
        self._add(window, "Space", lambda: self._choose_effect(-1))
        for keys in ("Z", QtGui.QKeySequence.StandardKey.Undo):
            self._add(window, keys, self._undo)
        for keys in ("Y", QtGui.QKeySequence.StandardKey.Redo):
            self._add(window, keys, self._redo)
        for offset, all_keys in ((-1, _PREVIOUS), (1, _NEXT)):
            for keys in all_keys:
                self._add(window, keys, lambda offset=offset: self._step(offset))
        self._add(window, "I", self._toggle_mask)

    def uninstall(self) -> None:
        for shortcut in self._installed:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._installed = []

    def _add(
        self,
        window: QtWidgets.QWidget,
        keys: str | QtGui.QKeySequence.StandardKey,
        action: Callable[[], None],
    ) -> None:
        shortcut = QtGui.QShortcut(QtGui.QKeySequence(keys), window)
        shortcut.activated.connect(action)
        self._installed.append(shortcut)
