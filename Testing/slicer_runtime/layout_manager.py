"""Stands in for qSlicerLayoutManager: the views, arranged as the scene's real layout node says."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from slicer_runtime.mrml_widgets.plot_view import PlotWidget
from slicer_runtime.mrml_widgets.slice_widget import SliceWidget


class LayoutManager(QtCore.QObject):
    """Makes the views when their nodes first appear, and puts them into the viewport."""

    layoutChanged = QtCore.Signal(int)

    def __init__(self, scene: Any, application_logic: Any) -> None:
        super().__init__()
        self._application_logic = application_logic
        for put in (application_logic.SetSliceLogics, application_logic.SetViewLogics):
            put(vtk.vtkCollection())
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)
        self._slices: dict[str, SliceWidget] = {}
        self._plots: dict[str, PlotWidget] = {}
        self._viewport = QtWidgets.QWidget()
        self._viewport.setObjectName("CentralWidgetLayoutFrame")
        QtWidgets.QVBoxLayout(self._viewport).setContentsMargins(0, 0, 0, 0)
        self._arranged: QtWidgets.QWidget | None = None
        self._logic.GetLayoutNode().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._arrange())
        self._shown = -1
        self.reset()

    def reset(self) -> None:
        """The arrangement that the application starts with."""
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    # layouts

    def layoutLogic(self) -> Any:
        return self._logic

    def viewport(self) -> QtWidgets.QWidget:
        return self._viewport

    def _get_layout(self) -> int:
        return self._logic.GetLayoutNode().GetViewArrangement()

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    layout = QtCore.Property(int, _get_layout, setLayout)

    def _arrange(self) -> None:
        node = self._logic.GetLayoutNode()
        description = node.GetCurrentLayoutDescription()
        if node.GetViewArrangement() == self._shown or not description:  # none while a scene is closed
            return
        self._shown = node.GetViewArrangement()
        for widget in (*self._slices.values(), *self._plots.values()):
            widget.setParent(None)
        if self._arranged is not None:
            self._arranged.setParent(None)
            self._arranged.deleteLater()
        self._arranged = self._build(ElementTree.fromstring(description))
        self._viewport.layout().addWidget(self._arranged)
        self._arranged.show()
        self.layoutChanged.emit(self._shown)

    def _build(self, element: ElementTree.Element) -> QtWidgets.QWidget:
        """The widget of an element `layout` or `view` of a layout description."""
        if element.tag == "view":
            return self._view(element.get("class", ""), element.get("singletontag", ""))
        splitter = QtWidgets.QSplitter(
            QtCore.Qt.Orientation.Vertical
            if element.get("type") == "vertical"
            else QtCore.Qt.Orientation.Horizontal
        )
        for item in element.findall("item"):
            for child in item:
                built = self._build(child)
                splitter.addWidget(built)
                built.show()  # only now, or it would open a window of its own
        splitter.setSizes([1000] * splitter.count())
        return splitter

    def _view(self, class_name: str, name: str) -> QtWidgets.QWidget:
        node = slicer.mrmlScene.GetSingletonNode(name, class_name)
        if class_name == "vtkMRMLSliceNode":
            if name not in self._slices:
                self._slices[name] = SliceWidget(node, self._application_logic)
            found: QtWidgets.QWidget = self._slices[name]
        elif class_name == "vtkMRMLPlotViewNode":
            if name not in self._plots:
                self._plots[name] = PlotWidget()
                self._plots[name].setMRMLScene(slicer.mrmlScene)
                self._plots[name].setMRMLPlotViewNode(node)
            found = self._plots[name]
        else:  # what the modules do not use is an empty place in the color of a 3D view
            found = QtWidgets.QWidget()
            found.setStyleSheet("background: #8b8fb8;")
        return found

    # views

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(self._slices)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        return self._slices.get(name)

    def mrmlSliceLogics(self) -> Any:
        return self._application_logic.GetSliceLogics()

    def plotWidget(self, index: int) -> PlotWidget | None:
        plots = list(self._plots.values())
        return plots[index] if 0 <= index < len(plots) else None

    def _get_plots(self) -> int:
        return len(self._plots)

    def _get_none(self) -> int:
        return 0

    plotViewCount = QtCore.Property(int, _get_plots)
    threeDViewCount = QtCore.Property(int, _get_none)
    tableViewCount = QtCore.Property(int, _get_none)

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        """There is no 3D view."""

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene
