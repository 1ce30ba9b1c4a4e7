"""The section 'Masking' of the Segment Editor: where it may draw, and what becomes of other segments."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets


class MaskingSection(QtWidgets.QGroupBox):
    """Shows and changes three settings of the editor node."""

    def __init__(self) -> None:
        super().__init__("Masking")
        self._node: Any = None
        self._tag = 0
        self._overwrite = QtWidgets.QComboBox()
        self._overwrite.addItems(["Overwrite all", "Overwrite visible", "Allow overlap"])
        self._area = QtWidgets.QComboBox()
        for text, mode in (
            ("Everywhere", slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere),
            ("Inside all segments", slicer.vtkMRMLSegmentationNode.EditAllowedInsideAllSegments),
            ("Outside all segments", slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments),
        ):
            self._area.addItem(text, mode)
        self._intensity = QtWidgets.QCheckBox("Editable intensity range")
        form = QtWidgets.QFormLayout(self)
        form.addRow("Editable area:", self._area)
        form.addRow(self._intensity)
        form.addRow("Modify other segments:", self._overwrite)
        self._overwrite.activated.connect(self._on_changed)
        self._area.activated.connect(self._on_changed)
        self._intensity.clicked.connect(self._on_changed)

    def follow(self, node: Any) -> None:
        """Show the settings of this editor node."""
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())
            self._show()

    def _show(self) -> None:
        self._overwrite.setCurrentIndex(self._node.GetOverwriteMode())
        self._area.setCurrentIndex(self._area.findData(self._node.GetMaskMode()))
        self._intensity.setChecked(bool(self._node.GetSourceVolumeIntensityMask()))

    def _on_changed(self, *_: Any) -> None:
        if self._node is not None:
            with slicer.util.NodeModify(self._node):
                overwrite, area = self._overwrite.currentIndex(), self._area.currentData()
                intensity = self._intensity.isChecked()
                self._node.SetOverwriteMode(overwrite)
                self._node.SetMaskMode(area)
                self._node.SetSourceVolumeIntensityMask(intensity)
