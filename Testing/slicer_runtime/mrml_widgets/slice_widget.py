"""Stands in for qMRMLSliceWidget: a slice view under a bar with its letter and its offset."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from slicer_runtime.mrml_widgets.slice_view import SliceView


class SliceController(QtWidgets.QWidget):
    """Stands in for qMRMLSliceControllerWidget: the colored bar."""

    def __init__(self, logic: Any) -> None:
        super().__init__()
        self._logic = logic
        node = logic.GetSliceNode()
        self._letter = QtWidgets.QLabel(node.GetLayoutLabel())
        color = QtGui.QColor.fromRgbF(*node.GetLayoutColor())
        self._letter.setStyleSheet(f"background: {color.name()}; color: black; padding: 1px 6px;")
        self._offset = QtWidgets.QLabel()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._letter)
        row.addStretch()
        row.addWidget(self._offset)
        logic.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())
        self._show()

    def _show(self) -> None:
        name = self._logic.GetSliceNode().GetOrientation()
        self._offset.setText(f"{name}: {self._logic.GetSliceOffset():.1f} mm")


class SliceWidget(QtWidgets.QWidget):
    """One slice view of the layout, with its real vtkMRMLSliceLogic."""

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, node: Any, application_logic: Any) -> None:
        super().__init__()
        self.setObjectName(f"qMRMLSliceWidget{node.GetLayoutName()}")
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.SetSliceNode(node)
        application_logic.GetSliceLogics().AddItem(self._logic)
        self._controller = SliceController(self._logic)
        self._view = SliceView()
        self._view.follow(self._logic, application_logic)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._controller)
        column.addWidget(self._view, 1)

    def sliceLogic(self) -> Any:
        return self._logic

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceView(self) -> SliceView:
        return self._view

    def viewWidget(self) -> SliceView:
        return self._view

    def sliceController(self) -> SliceController:
        return self._controller

    def controllerWidget(self) -> SliceController:
        return self._controller

    def interactorStyle(self) -> Any:
        return self._view.interactorStyle()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()

    def _get_name(self) -> str:
        return self._logic.GetSliceNode().GetLayoutName()

    sliceViewName = QtCore.Property(str, _get_name)

    def _get_orientation(self) -> str:
        return self._logic.GetSliceNode().GetOrientation()

    def setSliceOrientation(self, orientation: str) -> None:
        self._logic.GetSliceNode().SetOrientation(orientation)

    sliceOrientation = QtCore.Property(str, _get_orientation, setSliceOrientation)
