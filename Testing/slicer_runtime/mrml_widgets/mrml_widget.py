"""Stands in for qMRMLWidget and qSlicerWidget: a widget that knows the scene."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets


class MRMLWidget(QtWidgets.QWidget):
    """Holds the scene, and hands it to the widgets within it, as a .ui file's connections would."""

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene = scene
        self._on_scene()
        self.mrmlSceneChanged.emit(scene)

    def _on_scene(self) -> None:
        """The scene is another one."""


class SlicerWidget(QtWidgets.QWidget):
    """qSlicerWidget says which scene it has, and has no `mrmlScene()` that Python sees."""

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)
