"""Tells drawing from looking among all that happens to a segmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

from MedSSLLib.segmentations import SegmentState, segment_state


class DrawingWatch:
    """Calls whenever something changed that saving keeps: voxels, segments, their names, colors and codes.

    Slicer says that a segment was modified also when its surface is made for the 3D views or dropped again,
    and says no more than that when undo puts other voxels into it.

    Args:
        segmentation: the vtkSegmentation.
        changed: called on the main thread.
    """

    def __init__(self, segmentation: Any, changed: Callable[[], Any]) -> None:
        self._segmentation = segmentation
        self._changed = changed
        self._seen: dict[str, tuple[SegmentState, Any]] = {}
        self._look()
        kinds = slicer.vtkSegmentation

        def drawn(*_: Any) -> None:
            self._look()
            changed()

        @vtk.calldata_type(vtk.VTK_STRING)  # type: ignore[untyped-decorator]  # VTK has no types
        def modified(_caller: Any, _event: Any, segment_id: str) -> None:
            self._compare(segment_id)

        self._tags = [
            segmentation.AddObserver(kind, drawn)
            for kind in (kinds.SourceRepresentationModified, kinds.SegmentAdded, kinds.SegmentRemoved)
        ]
        self._tags.append(segmentation.AddObserver(kinds.SegmentModified, modified))

    def close(self) -> None:
        """Listen no more."""
        for tag in self._tags:
            self._segmentation.RemoveObserver(tag)
        self._tags.clear()
        self._seen.clear()

    def _look(self) -> None:
        self._seen = {each: self._state_of(each) for each in self._segmentation.GetSegmentIDs()}

    def _compare(self, segment_id: str) -> None:
        before, now = self._seen.get(segment_id), self._state_of(segment_id)
        if now != before:
            self._seen[segment_id] = now
            self._changed()

    def _state_of(self, segment_id: str) -> tuple[SegmentState, Any]:
        """What is said about a segment, and the object that has its voxels."""
        segment = self._segmentation.GetSegment(segment_id)
        drawn_as = self._segmentation.GetSourceRepresentationName()
        return segment_state(segment, segment_id), segment.GetRepresentation(drawn_as)
