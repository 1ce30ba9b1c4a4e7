"""Where a proposal is uncertain: a heat map over the slices, with a legend."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import LoadedVolume, voxels_of

_TABLE = "MedSSL Uncertainty"
_TABLE_TAG = "MedSSLUncertainty"
_COLORS = 256
_SAMPLE = 500_000  # voxels that the range of colors is chosen from
_CERTAIN = 0.05  # what lies below is not worth a color
_FAINT = 0.25  # part of the highest uncertainty that is not worth one either
_NARROWEST = 0.2  # width of the range of colors: a proposal that is sure everywhere must not look alarming
# From what deserves a glance to what deserves a correction. Unlike the colors that segments usually have,
# and bright enough at both ends for gray scans; lightness grows, for people who tell colors badly apart.
_RAMP = (
    (0.0, (0.42, 0.10, 0.55)),
    (0.35, (0.80, 0.16, 0.52)),
    (0.70, (0.99, 0.44, 0.36)),
    (1.0, (1.00, 0.93, 0.72)),
)


def highest_shown(loaded: LoadedVolume) -> float:
    """Choose the uncertainty that has the last color; for a thread beside the main one.

    Nearly the highest one, so that a few wild voxels do not make all others pale.
    """
    values = voxels_of(loaded.image)
    step = max(1, round((values.size / _SAMPLE) ** (1 / 3)))
    values = values[::step, ::step, ::step]  # choosing voxels by a mask would hold up the main thread
    doubtful = values[values > _CERTAIN]
    highest = float(np.percentile(doubtful, 99)) if doubtful.size else 1.0
    return min(1.0, max(highest, _CERTAIN + _NARROWEST))


def add_heat_map(loaded: LoadedVolume, highest: float, name: str) -> vtk.vtkObject:
    """Put an uncertainty map into the scene, ready to be a foreground of slice views.

    Args:
        loaded: the map, 0 (certain) to 1.
        highest: what has the last color, see `highest_shown`.
        name: of the node.

    Returns:
        The vtkMRMLScalarVolumeNode.
    """
    node = add_volume(loaded, name)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_color_table().GetID())
    display.SetInterpolate(True)
    display.AutoWindowLevelOff()
    lowest = max(_CERTAIN, _FAINT * highest)
    display.SetWindowLevelMinMax(lowest, highest)
    display.SetThreshold(lowest, max(1.0, highest))
    display.ApplyThresholdOn()
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(node)
    if legend is not None:
        legend.SetTitleText(_("Uncertainty"))
        legend.SetLabelFormat("%.2f")
        legend.SetNumberOfLabels(3)
        legend.SetOrientation(slicer.vtkMRMLColorLegendDisplayNode.Vertical)
        legend.SetSize(0.09, 0.3)
        legend.SetPosition(0.97, 0.5)
        for text in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
            text.SetFontSize(8)
    return node


def show_legend(node: vtk.vtkObject, visible: bool) -> None:
    """Show or hide the legend of a heat map."""
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(node)
    if legend is not None:
        legend.SetVisibility(visible)
        legend.Modified()  # the views look only now which volumes they show


def remove_heat_map(node: vtk.vtkObject) -> None:
    """Take a heat map and its legend out of the scene."""
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(node)
    display: Optional[Any] = node.GetDisplayNode()
    for each in (legend, node, display):
        if each is not None and slicer.mrmlScene.IsNodePresent(each):
            slicer.mrmlScene.RemoveNode(each)


def _color_table() -> Any:
    """The one color table of all heat maps, made when it is not there."""
    found = slicer.mrmlScene.GetSingletonNode(_TABLE_TAG, "vtkMRMLColorTableNode")
    if found is not None:
        return found
    table = slicer.vtkMRMLColorTableNode()
    table.SetSingletonTag(_TABLE_TAG)
    table.SetTypeToUser()
    table.SetNumberOfColors(_COLORS)
    table.SetName(_TABLE)
    table.SetHideFromEditors(False)
    table.SetSaveWithScene(True)
    for number in range(_COLORS):
        red, green, blue = _color(number / (_COLORS - 1))
        table.SetColor(number, f"{number / (_COLORS - 1):.2f}", red, green, blue, 1.0)
    table.GetLookupTable().SetRange(0, 255)
    return slicer.mrmlScene.AddNode(table)


def _color(place: float) -> tuple[float, float, float]:
    stops = [stop for stop, _color in _RAMP]
    red, green, blue = (
        float(np.interp(place, stops, [color[part] for _stop, color in _RAMP])) for part in range(3)
    )
    return red, green, blue
