"""Stands in for qMRMLSegmentationShow3DButton: makes the surfaces that the 3D views show, and drops them."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets

_SURFACE = "Closed surface"


class Show3DButton(QtWidgets.QPushButton):
    """Pressed while its segmentation has surfaces; without the original's menu for their smoothness."""

    def __init__(self) -> None:
        super().__init__("Show 3D")
        self.setObjectName("Show3DButton")
        self.setCheckable(True)
        self._node: Any = None
        self._tags: list[int] = []
        self._locked = False
        self.toggled.connect(self._on_toggled)
        self._show()

    def setSegmentationNode(self, node: Any) -> None:
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._node = node
        kinds = slicer.vtkSegmentation
        events = (kinds.SegmentAdded, kinds.SegmentRemoved, kinds.ContainedRepresentationNamesModified)
        followed = () if node is None else (vtk.vtkCommand.ModifiedEvent, *events)
        self._tags = [node.AddObserver(event, lambda *_: self._show()) for event in followed]
        self._show()

    def setLocked(self, locked: bool) -> None:
        self._locked = locked
        self._show()

    def _show(self) -> None:
        segmentation = None if self._node is None else self._node.GetSegmentation()
        has_voxels = (
            segmentation is not None
            and segmentation.GetNumberOfSegments() > 0
            and segmentation.GetSourceRepresentationName() != _SURFACE
        )
        self.setEnabled(has_voxels and not self._locked)
        blocked = self.blockSignals(True)
        self.setChecked(segmentation is not None and segmentation.ContainsRepresentation(_SURFACE))
        self.blockSignals(blocked)

    def _on_toggled(self, shown: bool) -> None:
        segmentation, display = self._node.GetSegmentation(), self._node.GetDisplayNode()
        with slicer.util.NodeModify(self._node):
            if not shown:
                segmentation.RemoveRepresentation(_SURFACE)
            elif segmentation.CreateRepresentation(_SURFACE) and display is not None:
                display.SetPreferredDisplayRepresentationName3D(_SURFACE)
                display.SetPreferredDisplayRepresentationName2D("Binary labelmap")
