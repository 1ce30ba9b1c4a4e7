"""Stands in for qSlicerLayoutManager: which views there are."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore


class LayoutManager(QtCore.QObject):
    """The arrangement of the views; the views themselves are made when they are first asked for."""

    layoutChanged = QtCore.Signal(int)

    def __init__(self, scene: Any) -> None:
        super().__init__()
        self._scene = scene
        self._layout = 3

    def setLayout(self, layout: int) -> None:
        if layout != self._layout:
            self._layout = layout
            self.layoutChanged.emit(layout)

    def _get_layout(self) -> int:
        return self._layout

    layout = QtCore.Property(int, _get_layout, setLayout)
