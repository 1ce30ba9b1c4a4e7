"""How the self-test draws: with an effect of the Segment Editor, as a person would."""

from __future__ import annotations

from typing import Any

import slicer
from vtk.util.numpy_support import vtk_to_numpy


def drawn(editor: Any) -> int:
    """How many voxels the selected segment has."""
    node, segment = editor.segmentationNode(), editor.currentSegmentID()
    labels = node.GetBinaryLabelmapInternalRepresentation(segment)
    scalars = None if labels is None else labels.GetPointData().GetScalars()
    if scalars is None:  # nothing was drawn
        return 0
    value = node.GetSegmentation().GetSegment(segment).GetLabelValue()
    return int((vtk_to_numpy(scalars) == value).sum())


def threshold(editor: Any) -> None:
    """Set the selected segment to the brightest part of the volume, with the effect of that name."""
    values = slicer.util.arrayFromVolume(editor.sourceVolumeNode())
    editor.setActiveEffectByName("Threshold")
    effect = editor.activeEffect()
    effect.setParameter("MinimumThreshold", float(values.min() + 0.6 * (values.max() - values.min())))
    effect.setParameter("MaximumThreshold", float(values.max()))
    effect.self().onApply()
