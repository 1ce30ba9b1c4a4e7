"""The widgets of MRML nodes, by the names that .ui files and `slicer` give them."""

from __future__ import annotations

from slicer_runtime.mrml_widgets.mrml_widget import MRMLWidget, SlicerWidget
from slicer_runtime.mrml_widgets.node_combo_box import NodeComboBox

MRML_WIDGETS = {
    "qMRMLNodeComboBox": NodeComboBox,
    "qMRMLWidget": MRMLWidget,
    "qSlicerWidget": SlicerWidget,
}
