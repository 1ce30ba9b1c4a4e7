"""Curves in a plot view: what is drawn where, and that nothing covers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
import slicer_runtime
import vtk


@pytest.fixture
def chart(runtime: slicer_runtime.Runtime) -> Any:
    """A chart of two good curves, in a plot view that can be seen."""
    from MedSSLLib.charts import PALETTE, Chart
    from MedSSLLib.jobs_track import Curve

    chart = Chart("test", "Dice on the validation scans", "Step", "Dice", (0.0, 1.0))
    chart.lines = _lines(Curve, PALETTE)
    runtime.window.resize(1200, 800)
    runtime.window.show()
    chart.draw(chart.lines)
    chart.place()
    _work(runtime)
    yield chart
    runtime.window.hide()


def _lines(curve: Any, palette: Any) -> list[Any]:
    from MedSSLLib.charts import Line

    lines = []
    for number, name in enumerate(("Kidney", "Renal pelvis")):
        drawn = curve()
        for step in range(1, 50):
            drawn.add(step, 0.99 - 0.01 * number - 0.5 / step)
        lines.append(Line(name, drawn, palette[number]))
    return lines


def _view() -> Any:
    return slicer.app.layoutManager().plotWidget(0).plotView()


def _work(runtime: slicer_runtime.Runtime) -> None:
    for _ in range(30):
        runtime.work()


def test_the_legend_is_beside_the_curves_not_over_them(chart: Any, tmp_path: Path) -> None:
    view = _view()
    view.grab().save(str(tmp_path / "plot.png"))  # draws
    drawn_to = view.chart().GetPoint2()[0]
    assert view.width - drawn_to > 80  # the legend's place


def test_a_curve_of_one_point_is_a_mark_and_vtk_does_not_complain(
    chart: Any, runtime: slicer_runtime.Runtime
) -> None:
    from MedSSLLib.charts import Line
    from MedSSLLib.jobs_track import Curve

    window = vtk.vtkStringOutputWindow()
    before = vtk.vtkOutputWindow.GetInstance()
    vtk.vtkOutputWindow.SetInstance(window)
    chart.draw([Line("Kidney", Curve([1], [0.5]), (0.0, 0.5, 0.5))])
    _work(runtime)
    _view().grab()
    vtk.vtkOutputWindow.SetInstance(before)
    assert window.GetOutput() == ""


def test_a_chart_that_was_shown_is_shown_again_after_the_scene_was_closed(
    chart: Any, runtime: slicer_runtime.Runtime
) -> None:
    slicer.mrmlScene.Clear(0)
    _work(runtime)
    chart.draw(chart.lines)
    node = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")[0]
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActivePlotChartID() == node.GetID()
