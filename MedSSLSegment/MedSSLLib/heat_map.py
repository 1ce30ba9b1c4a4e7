"""Where a proposal is uncertain: a heat map over the slices, with a legend."""

from __future__ import annotations

from dataclasses import dataclass
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
_TOLD_APART = 0.03  # by the two decimals of the legend
_SAMPLE = 500_000  # voxels that the range of colors is chosen from
_CERTAIN = 0.05  # what lies below is not worth a color
_FAINT = 0.25  # part of the highest uncertainty that is not worth one either
_USUAL = 75.0  # percent of all voxels: what most of a scan has says nothing about a place in it
_HIGHEST_START = 0.99  # also where a model that learned nothing is unsure everywhere
_NARROWEST = 0.2  # width of the range of colors: a proposal that is sure everywhere must not look alarming
_CLEARLY = 0.1  # part of the way from there to the highest that a place must stand out by
# From what deserves a glance to what deserves a correction. Unlike the colors that segments usually have,
# and bright enough at both ends for gray scans; lightness grows, for people who tell colors badly apart.
_RAMP = (
    (0.0, (0.42, 0.10, 0.55)),
    (0.35, (0.80, 0.16, 0.52)),
    (0.70, (0.99, 0.44, 0.36)),
    (1.0, (1.00, 0.93, 0.72)),
)


@dataclass(frozen=True)
class ColorRange:
    """The uncertainty that colors begin with, and the one that has the last color."""

    lowest: float
    highest: float


def color_range(loaded: LoadedVolume) -> ColorRange:
    """Choose the range of colors for an uncertainty map; for a thread beside the main one.

    It ends nearly at the highest uncertainty, so that a few wild voxels do not make all others pale. It
    begins above what most of the scan has: a model that learned little is unsure everywhere, and a map that
    tints the whole picture shows nothing.
    """
    values = voxels_of(loaded.image)
    step = max(1, round((values.size / _SAMPLE) ** (1 / 3)))
    values = values[::step, ::step, ::step]  # choosing voxels by a mask would hold up the main thread
    uncertain = values[values > _CERTAIN]
    highest = float(np.percentile(uncertain, 99)) if uncertain.size else 1.0
    usual = float(np.percentile(values, _USUAL))
    lowest = max(_CERTAIN, _FAINT * highest, usual + _CLEARLY * max(0.0, highest - usual))
    lowest = min(lowest, _HIGHEST_START)
    return ColorRange(lowest, min(1.0, max(highest, lowest + _NARROWEST)))


def add_heat_map(loaded: LoadedVolume, colors: ColorRange, name: str) -> vtk.vtkObject:
    """Put an uncertainty map into the scene, ready to be a foreground of slice views.

    Args:
        loaded: the map, 0 (certain) to 1.
        colors: see `color_range`.
        name: of the node.

    Returns:
        The vtkMRMLScalarVolumeNode.
    """
    node = add_volume(loaded, name)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_color_table().GetID())
    display.SetInterpolate(True)
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(colors.lowest, colors.highest)
    display.SetThreshold(colors.lowest, 1.0)
    display.ApplyThresholdOn()
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(node)
    if legend is not None:
        legend.SetTitleText(_("Uncertainty"))
        legend.SetLabelFormat("%.2f")
        legend.SetNumberOfLabels(3 if colors.highest - colors.lowest > _TOLD_APART else 2)
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
    # Slicer would ask at its end whether to save a table of colors that nobody made.
    table.SetHideFromEditors(True)
    table.SetSaveWithScene(False)
    for number in range(_COLORS):
        place = number / (_COLORS - 1)
        red, green, blue = _color(place)
        table.SetColor(number, f"{place:.2f}", red, green, blue, 1.0)
    table.GetLookupTable().SetRange(0, 255)
    return slicer.mrmlScene.AddNode(table)


def _color(place: float) -> tuple[float, float, float]:
    stops = [stop for stop, _color in _RAMP]
    red, green, blue = (
        float(np.interp(place, stops, [color[part] for _stop, color in _RAMP])) for part in range(3)
    )
    return red, green, blue
