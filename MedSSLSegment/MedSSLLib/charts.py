"""Curves in Slicer's own plot view, beside the slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import slicer
import vtk

from MedSSLLib.jobs_track import Curve

Color = tuple[float, float, float]

# Okabe and Ito's colors, which people with any color vision can tell apart.
PALETTE: tuple[Color, ...] = (
    (0.0, 0.45, 0.70),
    (0.84, 0.37, 0.0),
    (0.0, 0.62, 0.45),
    (0.80, 0.47, 0.65),
    (0.90, 0.62, 0.0),
    (0.34, 0.71, 0.91),
)
_LEGEND_FONT = 10
_OWN = "MedSSL.chart"  # attribute by which the nodes of an earlier start of the module are found again


def color_of(parts: Sequence[int]) -> Color:
    """Turn a color of 0..255 into one of 0..1."""
    red, green, blue = (part / 255 for part in parts)
    return red, green, blue


@dataclass(frozen=True)
class Line:
    """One curve of a chart; the color's parts are 0..1, and what is compared with is dashed."""

    name: str
    curve: Curve
    color: Color
    dashed: bool = False


class Chart:
    """A chart of the scene, written in place as a training goes on; not saved with the scene.

    Args:
        key: tells the charts of different sections apart.
        title: above the chart.
        x_title: below it.
        y_title: beside it.
        y_range: of the axis; None lets it fit the curves.
    """

    def __init__(
        self, key: str, title: str, x_title: str, y_title: str, y_range: Optional[tuple[float, float]] = None
    ) -> None:
        self._key = key
        self._titles = (title, x_title, y_title)
        self._y_range = y_range
        self._placed = False

    def draw(self, lines: Sequence[Line]) -> None:
        """Show these curves and no others."""
        gone = self._placed and not self._nodes("vtkMRMLPlotChartNode")  # with a scene that was closed
        chart = self._chart()
        drawn = [line for line in lines if len(line.curve.steps) > 0]
        ids = [self._draw_line(number, line) for number, line in enumerate(drawn)]
        for node in self._nodes("vtkMRMLPlotSeriesNode")[len(ids) :]:
            _remove_series(node)
        if ids != [chart.GetNthPlotSeriesNodeID(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]:
            changing = chart.StartModify()
            chart.RemoveAllPlotSeriesNodeIDs()
            for each in ids:
                chart.AddAndObservePlotSeriesNodeID(each)
            chart.EndModify(changing)
        if gone:
            self._choose()

    def place(self) -> None:
        """Show the chart in the plot view, in the layout with slices and a plot."""
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if layout is not None and not _has_plot(layout):
            layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView)
        self._choose()
        _put_legends_beside()
        self._placed = True

    def remove(self) -> None:
        """Take the chart out of the scene."""
        for node in self._nodes("vtkMRMLPlotSeriesNode"):
            _remove_series(node)
        for node in self._nodes("vtkMRMLPlotChartNode"):
            slicer.mrmlScene.RemoveNode(node)

    def _choose(self) -> None:
        """Have the plot views show this chart."""
        selection = slicer.app.applicationLogic().GetSelectionNode()
        selection.SetReferenceActivePlotChartID(self._chart().GetID())
        slicer.app.applicationLogic().PropagatePlotChartSelection()

    def _chart(self) -> Any:
        found = self._nodes("vtkMRMLPlotChartNode")
        if found:
            return found[0]
        title, x_title, y_title = self._titles
        chart = self._add("vtkMRMLPlotChartNode", title)
        chart.SetTitle(title)
        chart.SetXAxisTitle(x_title)
        chart.SetYAxisTitle(y_title)
        chart.SetLegendVisibility(True)
        chart.SetLegendFontSize(_LEGEND_FONT)
        if self._y_range is not None:
            chart.SetYAxisRangeAuto(False)
            chart.SetYAxisRange(*self._y_range)
        return chart

    def _draw_line(self, number: int, line: Line) -> str:
        """Write one curve into the series with a number; returns the series' id."""
        present = self._nodes("vtkMRMLPlotSeriesNode")
        if number < len(present):
            series = present[number]
            table = series.GetTableNode()
        else:
            series = self._add("vtkMRMLPlotSeriesNode", line.name)
            table = self._add("vtkMRMLTableNode", line.name)
            series.SetAndObserveTableNodeID(table.GetID())
            series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
        _write(table, line.curve)
        changing = series.StartModify()
        series.SetName(line.name)
        series.SetXColumnName("step")
        series.SetYColumnName("value")
        # The plot's own axis needs two points for a line: a single one is a mark.
        single = len(line.curve.steps) == 1
        none, circle = (
            slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone,
            slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle,
        )
        series.SetMarkerStyle(circle if single else none)
        nodes = slicer.vtkMRMLPlotSeriesNode
        drawn = nodes.LineStyleDash if line.dashed else nodes.LineStyleSolid
        series.SetLineStyle(nodes.LineStyleNone if single else drawn)
        series.SetLineWidth(2)
        series.SetColor(*line.color)
        series.EndModify(changing)
        return str(series.GetID())

    def _add(self, class_name: str, name: str) -> Any:
        node = slicer.mrmlScene.CreateNodeByClass(class_name)
        node.UnRegister(None)  # the reference that Create gave; Python holds its own
        node.SetName(name)
        node.SetAttribute(_OWN, self._key)
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(class_name != "vtkMRMLPlotChartNode")
        return slicer.mrmlScene.AddNode(node)

    def _nodes(self, class_name: str) -> list[Any]:
        return [
            node for node in slicer.util.getNodesByClass(class_name) if node.GetAttribute(_OWN) == self._key
        ]


def _write(table: Any, curve: Curve) -> None:
    """Put a curve's points into a table node, in two columns."""
    columns = []
    # VTK complains of a line with a single point, also of one that is not painted.
    times = 2 if len(curve.steps) == 1 else 1
    for name, numbers in (("step", curve.steps * times), ("value", curve.values * times)):
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        column.SetNumberOfValues(len(numbers))
        for row, number in enumerate(numbers):
            column.SetValue(row, number)
        columns.append(column)
    changing = table.StartModify()
    filled = vtk.vtkTable()
    for column in columns:
        filled.AddColumn(column)
    table.SetAndObserveTable(filled)
    table.EndModify(changing)


def _remove_series(series: Any) -> None:
    table = series.GetTableNode()
    slicer.mrmlScene.RemoveNode(series)
    if table is not None:
        slicer.mrmlScene.RemoveNode(table)


def _put_legends_beside() -> None:
    """Have legends beside the curves: good ones end in the corner where Slicer has its legends."""
    manager = slicer.app.layoutManager()
    for index in range(manager.plotViewCount):
        legend = manager.plotWidget(index).plotView().chart().GetLegend()
        legend.SetInline(False)


def _has_plot(layout: Any) -> bool:
    description = layout.GetLayoutDescription(layout.GetViewArrangement()) or ""
    return "vtkMRMLPlotViewNode" in description
