"""What the slice views showed before a case came, so that they show it again when the case goes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Optional

import slicer
import vtk


@dataclass(frozen=True)
class _Layers:
    composite: Any
    background: Optional[str]
    foreground: Optional[str]
    label: Optional[str]
    opacity: float

    def show(self) -> None:
        self.composite.SetBackgroundVolumeID(_present(self.background))
        self.composite.SetForegroundVolumeID(_present(self.foreground))
        self.composite.SetLabelVolumeID(_present(self.label))
        self.composite.SetForegroundOpacity(self.opacity)


@dataclass(frozen=True)
class _Plane:
    node: Any
    to_ras: vtk.vtkMatrix4x4
    origin: tuple[float, float, float]
    width: float
    depth: float

    def show(self) -> None:
        columns, rows, _slices = self.node.GetDimensions()  # the window may have another shape by now
        self.node.GetSliceToRAS().DeepCopy(self.to_ras)
        self.node.SetXYZOrigin(*self.origin)
        self.node.SetFieldOfView(self.width, self.width * rows / max(columns, 1), self.depth)
        self.node.UpdateMatrices()


class ViewsBefore:
    """The layers and planes of all slice views at the moment when this is made."""

    def __init__(self) -> None:
        self._layers = [_layers_of(node) for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")]
        self._planes = [_plane_of(node) for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")]

    def show(self, instead: Collection[str]) -> None:
        """Show it again, as far as it is still in the scene.

        Args:
            instead: ids of the volumes that came over it; a view in which the person has put another one
                keeps its layers.
        """
        for layers in self._layers:
            if layers.composite.GetBackgroundVolumeID() in instead and _is_there(layers.composite):
                layers.show()
        for plane in self._planes:
            if _is_there(plane.node):
                plane.show()


def _layers_of(node: Any) -> _Layers:
    shown = (node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetLabelVolumeID())
    return _Layers(node, *shown, node.GetForegroundOpacity())


def _plane_of(node: Any) -> _Plane:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(node.GetSliceToRAS())
    width, _height, depth = node.GetFieldOfView()
    return _Plane(node, matrix, tuple(node.GetXYZOrigin()), width, depth)


def _present(node: Optional[str]) -> Optional[str]:
    return node if node and slicer.mrmlScene.GetNodeByID(node) is not None else None


def _is_there(node: Any) -> bool:
    return bool(slicer.mrmlScene.IsNodePresent(node))
