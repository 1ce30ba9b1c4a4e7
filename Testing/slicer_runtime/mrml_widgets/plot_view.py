"""Stands in for qMRMLPlotView and qMRMLPlotWidget: the chart that a plot view node names, drawn by VTK."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from slicer_runtime.offscreen import OffscreenView

_PENS = {1: vtk.vtkPen.SOLID_LINE, 2: vtk.vtkPen.DASH_LINE, 3: vtk.vtkPen.DOT_LINE}


class PlotView(OffscreenView):
    """Draws the series of the chart with VTK's charts, as the original does."""

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._context = vtk.vtkContextView()
        self._context.SetRenderWindow(self._window)
        self._context.GetRenderer().SetBackground(1.0, 1.0, 1.0)
        self._chart = vtk.vtkChartXY()
        self._chart.SetShowLegend(True)
        self._context.GetScene().AddItem(self._chart)
        self._observed: list[tuple[Any, int]] = []

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node
        if node is not None:
            node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._schedule())
        self._schedule()

    def chart(self) -> Any:
        return self._chart

    def fitToContent(self) -> None:
        self._chart.RecalculateBounds()

    def _chart_node(self) -> Any:
        return None if self._node is None else self._node.GetPlotChartNode()

    def _prepare(self) -> None:
        self._chart.ClearPlots()
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []
        node = self._chart_node()
        self._chart.SetVisible(node is not None)
        if node is None:
            return
        self._watch(node)
        self._chart.SetTitle(node.GetTitle() or "" if node.GetTitleVisibility() else "")
        self._chart.SetShowLegend(bool(node.GetLegendVisibility()))
        axes = ((vtk.vtkAxis.BOTTOM, "X"), (vtk.vtkAxis.LEFT, "Y"))
        for position, letter in axes:
            axis = self._chart.GetAxis(position)
            axis.SetTitle(getattr(node, f"Get{letter}AxisTitle")() or "")
            automatic = getattr(node, f"Get{letter}AxisRangeAuto")()
            axis.SetBehavior(vtk.vtkAxis.AUTO if automatic else vtk.vtkAxis.FIXED)
            if not automatic:
                axis.SetRange(*getattr(node, f"Get{letter}AxisRange")())
        for number in range(node.GetNumberOfPlotSeriesNodes()):
            self._add(node.GetNthPlotSeriesNode(number))
        self._chart.RecalculateBounds()

    def _watch(self, node: Any) -> None:
        tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._schedule())
        self._observed.append((node, tag))

    def _add(self, series: Any) -> None:
        table_node = series.GetTableNode() if series is not None else None
        if table_node is None or table_node.GetTable() is None:
            return
        self._watch(series)
        self._watch(table_node)
        table = table_node.GetTable()
        x_name, y_name = series.GetXColumnName(), series.GetYColumnName()
        if table.GetColumnByName(y_name) is None or table.GetNumberOfRows() == 0:
            return
        kind = vtk.vtkChart.BAR if series.GetPlotType() == series.PlotTypeBar else vtk.vtkChart.LINE
        plot = self._chart.AddPlot(kind)
        plot.SetInputData(table, x_name or y_name, y_name)
        if not x_name:
            plot.SetUseIndexForXSeries(True)
        plot.SetLabel(series.GetName())
        color = QtGui.QColor.fromRgbF(*series.GetColor())
        plot.SetColor(color.red(), color.green(), color.blue(), 255)
        plot.SetWidth(series.GetLineWidth())
        plot.GetPen().SetLineType(_PENS.get(series.GetLineStyle(), vtk.vtkPen.NO_PEN))
        if (
            kind == vtk.vtkChart.LINE
            and series.GetMarkerStyle() != slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone
        ):
            plot.SetMarkerStyle(vtk.vtkPlotPoints.CIRCLE)
            plot.SetMarkerSize(series.GetMarkerSize())


class PlotWidget(QtWidgets.QWidget):
    """A plot view under its bar."""

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._controller = QtWidgets.QLabel("P")
        self._controller.setStyleSheet("background: #e17012; color: black; padding: 1px 6px;")
        self._view = PlotView()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._controller)
        column.addWidget(self._view, 1)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self._view.setMRMLScene(scene)
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node
        self._view.setMRMLPlotViewNode(node)

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def plotView(self) -> PlotView:
        return self._view

    def viewWidget(self) -> PlotView:
        return self._view

    def plotController(self) -> QtWidgets.QWidget:
        return self._controller

    def controllerWidget(self) -> QtWidgets.QWidget:
        return self._controller
