"""Stand-ins for the effects of the Segment Editor, on the application's real vtkSlicerSegmentEditorLogic.

Names and parameters are those of qSlicerSegmentEditorAbstractEffect and its subclasses in Slicer's sources,
which the record of the running application does not list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk
from PySide6 import QtWidgets
from slicer_runtime.segment_editor.brush import Brush


class Effect:
    """What all effects have: parameters in the editor's node, an options frame, and the editor behind it."""

    name = ""
    defaults: dict[str, str] = {}  # noqa: RUF012 - constant

    def __init__(self, logic: Any, select: Callable[[str], None]) -> None:
        self._logic = logic
        self._select = select
        self._options: QtWidgets.QFrame | None = None

    def self(self) -> Effect:
        """The Python object of a scripted effect."""
        return self

    def parameterSetNode(self) -> Any:
        return self._logic.GetSegmentEditorNode()

    def parameter(self, name: str) -> str:
        value = self.parameterSetNode().GetAttribute(f"{self.name}.{name}")
        if value is None:
            value = self.parameterSetNode().GetAttribute(name)
        return self.defaults.get(name, "") if value is None else value

    def doubleParameter(self, name: str) -> float:
        return float(self.parameter(name) or 0)

    def integerParameter(self, name: str) -> int:
        return int(float(self.parameter(name) or 0))

    def parameterDefined(self, name: str) -> bool:
        return self.parameterSetNode().GetAttribute(f"{self.name}.{name}") is not None

    def setParameter(self, name: str, value: object) -> None:
        self.parameterSetNode().SetAttribute(f"{self.name}.{name}", str(value))

    def setCommonParameter(self, name: str, value: object) -> None:
        self.parameterSetNode().SetAttribute(name, str(value))

    def nodeReference(self, name: str) -> Any:
        own = self.parameterSetNode().GetNodeReference(f"{self.name}.{name}")
        return self.parameterSetNode().GetNodeReference(name) if own is None else own

    def setCommonNodeReference(self, name: str, node: Any) -> None:
        self.parameterSetNode().SetNodeReferenceID(name, None if node is None else node.GetID())

    def selectEffect(self, name: str) -> None:
        self._select(name)

    def saveStateForUndo(self) -> None:
        self._logic.SaveStateForUndo()

    def optionsFrame(self) -> QtWidgets.QFrame:
        if self._options is None:
            self._options = QtWidgets.QFrame()
            form = QtWidgets.QFormLayout(self._options)
            form.setContentsMargins(0, 0, 0, 0)
            self._add_options(form)
        return self._options

    def _add_options(self, form: QtWidgets.QFormLayout) -> None:
        """Fill the options frame."""

    def _apply(self, mode: int) -> None:
        """Change the selected segment by the modifier labelmap, as masking allows."""
        node = self.parameterSetNode()
        self._logic.ModifySegmentByLabelmap(
            node.GetSegmentationNode(),
            node.GetSelectedSegmentID(),
            self._logic.GetModifierLabelmap(),
            mode,
            True,
            False,
        )

    def _press(self, _view: Any, _position: tuple[int, int]) -> bool:
        """The mouse goes down in a slice view; True keeps it from the view."""
        return False

    def _move(self, _view: Any, _position: tuple[int, int]) -> bool:
        return False

    def _release(self, _view: Any, _position: tuple[int, int]) -> bool:
        return False


class ThresholdEffect(Effect):
    """Sets the selected segment to a range of the source volume's values."""

    name = "Threshold"

    def onApply(self) -> None:
        """Fill the segment and put the effect away."""
        self._logic.UpdateAlignedSourceVolume()
        self._logic.ResetModifierLabelmapToDefault()
        source, modifier = self._logic.GetAlignedSourceVolume(), self._logic.GetModifierLabelmap()
        self.saveStateForUndo()
        threshold = vtk.vtkImageThreshold()
        threshold.SetInputData(source)
        threshold.ThresholdBetween(
            self.doubleParameter("MinimumThreshold"), self.doubleParameter("MaximumThreshold")
        )
        threshold.SetInValue(1)
        threshold.SetOutValue(0)
        threshold.SetOutputScalarType(modifier.GetScalarType())
        threshold.Update()
        matrix = vtk.vtkMatrix4x4()
        modifier.GetImageToWorldMatrix(matrix)
        modifier.DeepCopy(threshold.GetOutput())
        modifier.SetGeometryFromImageToWorldMatrix(matrix)
        self._apply(self._logic.ModificationModeSet)
        self.selectEffect("")

    def _add_options(self, form: QtWidgets.QFormLayout) -> None:
        low, high = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        for box, name in ((low, "MinimumThreshold"), (high, "MaximumThreshold")):
            box.setRange(-1e6, 1e6)
            box.setValue(self.doubleParameter(name))
            box.valueChanged.connect(lambda value, name=name: self.setParameter(name, value))
        form.addRow("Threshold Range:", low)
        form.addRow("", high)
        button = QtWidgets.QPushButton("Apply")
        button.clicked.connect(lambda *_: self.onApply())
        form.addRow(button)


class PaintEffect(Effect):
    """Draws with a round brush in a slice view."""

    name = "Paint"
    defaults = {  # noqa: RUF012 - constant
        "BrushAbsoluteDiameter": "10",
        "BrushRelativeDiameter": "3",
        "BrushDiameterIsRelative": "1",
        "BrushSphere": "0",
    }
    adds = True

    def __init__(self, logic: Any, select: Callable[[str], None]) -> None:
        super().__init__(logic, select)
        self._stroke: Brush | None = None

    def _press(self, view: Any, position: tuple[int, int]) -> bool:
        node = self.parameterSetNode()
        if node.GetSegmentationNode() is None or not node.GetSelectedSegmentID():
            return False
        self._logic.ResetModifierLabelmapToDefault()
        self.saveStateForUndo()
        slice_node = view.mrmlSliceNode()
        if self.integerParameter("BrushDiameterIsRelative"):
            diameter = slice_node.GetFieldOfView()[1] * self.doubleParameter("BrushRelativeDiameter") / 100
        else:
            diameter = self.doubleParameter("BrushAbsoluteDiameter")
        sphere = bool(self.integerParameter("BrushSphere"))
        self._stroke = Brush(self._logic.GetModifierLabelmap(), slice_node, diameter, sphere)
        self._stroke.paint(position)
        return True

    def _move(self, _view: Any, position: tuple[int, int]) -> bool:
        if self._stroke is not None:
            self._stroke.paint(position)
        return self._stroke is not None

    def _release(self, _view: Any, position: tuple[int, int]) -> bool:
        if self._stroke is None:
            return False
        self._stroke.paint(position)
        self._stroke.finish()
        self._stroke = None
        logic = self._logic
        self._apply(logic.ModificationModeAdd if self.adds else logic.ModificationModeRemove)
        return True

    def _add_options(self, form: QtWidgets.QFormLayout) -> None:
        size = QtWidgets.QDoubleSpinBox()
        size.setSuffix(" %")
        size.setRange(0.1, 100)
        size.setValue(self.doubleParameter("BrushRelativeDiameter"))
        size.valueChanged.connect(lambda value: self.setCommonParameter("BrushRelativeDiameter", value))
        form.addRow("Diameter:", size)
        sphere = QtWidgets.QCheckBox("Sphere brush")
        sphere.setChecked(bool(self.integerParameter("BrushSphere")))
        sphere.toggled.connect(lambda checked: self.setCommonParameter("BrushSphere", int(checked)))
        form.addRow(sphere)


class EraseEffect(PaintEffect):
    """Paints the selected segment away."""

    name = "Erase"
    adds = False


EFFECTS = (PaintEffect, EraseEffect, ThresholdEffect)
