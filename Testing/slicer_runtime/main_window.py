"""Stands in for qSlicerMainWindow: the module panel on the left, the views beside it."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from slicer_runtime.module_manager import ModuleManager


class ModuleSelector(QtWidgets.QWidget):
    """Stands in for qSlicerModuleSelectorToolBar: which module is open."""

    moduleSelected = QtCore.Signal(str)

    def __init__(self, modules: ModuleManager, panel: QtWidgets.QScrollArea) -> None:
        super().__init__()
        self._modules = modules
        self._panel = panel
        self._selected = ""

    def selectModule(self, name: str) -> None:
        """Leave the module that is open, and open another; '' opens none."""
        if name == self._selected:
            return
        before = self._modules.module(self._selected)
        if before is not None and hasattr(before, "widgetRepresentation"):
            before.widgetRepresentation().exit()
            self._panel.takeWidget()
        self._selected = name
        module = self._modules.module(name)
        if module is not None and hasattr(module, "widgetRepresentation"):
            widget = module.widgetRepresentation()
            self._panel.setWidget(widget)
            widget.show()
            widget.enter()
        self.moduleSelected.emit(name)

    def _get_selected(self) -> str:
        return self._selected

    def _set_selected(self, name: str) -> None:
        self.selectModule(name)

    selectedModule = QtCore.Property(str, _get_selected, _set_selected)


class MainWindow(QtWidgets.QMainWindow):
    """The window that a user sees."""

    def __init__(self, modules: ModuleManager, views: QtWidgets.QWidget) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer 5.13.0")
        self.resize(1600, 1000)
        dock = QtWidgets.QDockWidget(self)
        dock.setObjectName("PanelDockWidget")
        dock.setFeatures(QtWidgets.QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        dock.setTitleBarWidget(QtWidgets.QWidget(dock))
        panel = QtWidgets.QScrollArea(dock)
        panel.setWidgetResizable(True)
        panel.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        panel.setMinimumWidth(520)
        dock.setWidget(panel)
        self.addDockWidget(QtCore.Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self.setCentralWidget(views)
        self._selector = ModuleSelector(modules, panel)

    def moduleSelector(self) -> Any:
        return self._selector
