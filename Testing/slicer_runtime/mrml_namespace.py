"""The widgets of MRML nodes, by the names that .ui files and `slicer` give them."""

from __future__ import annotations

from slicer_runtime.mrml_widgets.mrml_widget import MRMLWidget, SlicerWidget
from slicer_runtime.mrml_widgets.node_combo_box import NodeComboBox
from slicer_runtime.mrml_widgets.plot_view import PlotView, PlotWidget
from slicer_runtime.mrml_widgets.slice_widget import SliceWidget
from slicer_runtime.segment_editor.segments_table import SegmentsTableView
from slicer_runtime.segment_editor.widget import SegmentEditorWidget

MRML_WIDGETS = {
    "qMRMLNodeComboBox": NodeComboBox,
    "qMRMLPlotView": PlotView,
    "qMRMLPlotWidget": PlotWidget,
    "qMRMLSegmentEditorWidget": SegmentEditorWidget,
    "qMRMLSegmentsTableView": SegmentsTableView,
    "qMRMLSliceWidget": SliceWidget,
    "qMRMLWidget": MRMLWidget,
    "qSlicerWidget": SlicerWidget,
}
