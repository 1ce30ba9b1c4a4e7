"""Stand-in for the effects that preview a whole segmentation before it is applied.

What they keep, and what takes it away again, is as in Slicer's
AbstractScriptedSegmentEditorAutoCompleteEffect: the modules have to live with that.
"""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets
from slicer_runtime.segment_editor.effects import Effect

_ROLE = "SegmentationResultPreview"
_OWNER = "SegmentationResultPreviewOwnerEffect"


class GrowFromSeedsEffect(Effect):
    """Gives every voxel a segment, from some that are drawn; by the filter of the original in Slicer 5.8."""

    name = "Grow from seeds"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.selectedSegmentIds: Any = None

    def getPreviewNode(self) -> Any:
        node = self.nodeReference(_ROLE)
        return node if node is not None and self.parameter(_OWNER) == self.name else None

    def onPreview(self) -> None:
        """Preview; the segments are chosen once, for all previews until a reset."""
        segmentation = self.parameterSetNode().GetSegmentationNode()
        preview = self.getPreviewNode()
        if preview is None:
            chosen = self.selectedSegmentIds
            self.reset()
            self.selectedSegmentIds = chosen
            if self.selectedSegmentIds is None:
                self.selectedSegmentIds = vtk.vtkStringArray()
                segmentation.GetDisplayNode().GetVisibleSegmentIDs(self.selectedSegmentIds)
            preview = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
            preview.CreateDefaultDisplayNodes()
            self.setCommonNodeReference(_ROLE, preview)
            self.setCommonParameter(_OWNER, self.name)
            segmentation.GetDisplayNode().SetOpacity(0.4)
        preview.SetName(f"{segmentation.GetName()} preview")
        labelmap = self._grown(segmentation)
        preview.GetSegmentation().RemoveAllSegments()
        for index in range(self.selectedSegmentIds.GetNumberOfValues()):
            name = self.selectedSegmentIds.GetValue(index)
            segment = slicer.vtkSegment()
            segment.SetName(segmentation.GetSegmentation().GetSegment(name).GetName())
            segment.AddRepresentation("Binary labelmap", labelmap)
            segment.SetLabelValue(index + 1)
            preview.GetSegmentation().AddSegment(segment, name)

    def _grown(self, segmentation: Any) -> Any:
        self._logic.UpdateAlignedSourceVolume()
        source = self._logic.GetAlignedSourceVolume()
        seeds, grown = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
        whole = slicer.vtkSegmentation.EXTENT_UNION_OF_EFFECTIVE_SEGMENTS
        segmentation.GenerateMergedLabelmapForAllSegments(seeds, whole, source, self.selectedSegmentIds)
        grow = slicer.vtkImageGrowCutSegment()
        grow.SetIntensityVolume(source)
        grow.SetSeedLabelVolume(seeds)
        grow.Update()
        matrix = vtk.vtkMatrix4x4()
        seeds.GetImageToWorldMatrix(matrix)
        grown.DeepCopy(grow.GetOutput())
        grown.SetGeometryFromImageToWorldMatrix(matrix)
        return grown

    def reset(self) -> None:
        node = self.nodeReference(_ROLE)
        if node is not None:
            self.setCommonNodeReference(_ROLE, None)
            slicer.mrmlScene.RemoveNode(node)
            self.setCommonParameter(_OWNER, "")
        self.parameterSetNode().GetSegmentationNode().GetDisplayNode().SetOpacity(1.0)
        self.selectedSegmentIds = None

    def onCancel(self) -> None:
        self.reset()

    def onApply(self) -> None:
        """Replace the segments by the previewed ones."""
        segmentation, preview = self.parameterSetNode().GetSegmentationNode(), self.getPreviewNode()
        self.saveStateForUndo()
        found = vtk.vtkStringArray()
        preview.GetSegmentation().GetSegmentIDs(found)
        for index in range(found.GetNumberOfValues()):
            labelmap = slicer.vtkOrientedImageData()
            preview.GetBinaryLabelmapRepresentation(found.GetValue(index), labelmap)
            self._logic.ModifySegmentByLabelmap(
                segmentation, found.GetValue(index), labelmap, self._logic.ModificationModeSet, False, False
            )
            preview.GetSegmentation().RemoveSegment(found.GetValue(index))
        self.reset()

    def _add_options(self, form: QtWidgets.QFormLayout) -> None:
        for text, act in (("Initialize", self.onPreview), ("Cancel", self.onCancel), ("Apply", self.onApply)):
            button = QtWidgets.QPushButton(text)
            button.clicked.connect(lambda *_, act=act: act())
            form.addRow(button)
