"""The one Segment Editor of the panel: sections take it in turn, so that there is one state and one undo."""

from __future__ import annotations

from typing import Any, Optional

import slicer
import vtk

from MedSSLLib import effect_preview
from MedSSLLib.signals import Signal

_UNDO_STATES = 10


class SegmentEditor:
    """Slicer's own editor widget, made at first use, with masking and undo as in its module.

    Attributes:
        section: name of the section that has it now; '' when none has.
        moved: another section has it.
    """

    def __init__(self) -> None:
        self.section = ""
        self.moved = Signal()
        self._widget: Any = None
        self._entered = False

    @property
    def widget(self) -> Any:
        """The qMRMLSegmentEditorWidget."""
        if self._widget is None:
            self._widget = self._made()
        return self._widget

    @property
    def segmentation(self) -> Optional[vtk.vtkObject]:
        """The vtkMRMLSegmentationNode that is being edited."""
        return None if self._widget is None else self._widget.segmentationNode()

    def take(self, section: str, layout: Any, segmentation: Any, volume: vtk.vtkObject) -> None:
        """Move the editor into a section and edit there.

        Args:
            section: name of the section.
            layout: of the section's place for the editor.
            segmentation: what to edit.
            volume: what it is drawn on.
        """
        if segmentation is not self.segmentation:
            effect_preview.drop(self.widget)
        self.section = section
        layout.addWidget(self.widget)
        self.widget.visible = True
        self.widget.setSegmentationNode(segmentation)
        self.widget.setSourceVolumeNode(volume)
        segments = segmentation.GetSegmentation()
        if segments.GetNumberOfSegments() and not self.widget.currentSegmentID():
            # The widget chooses one itself, unless it had the segmentation before there were segments in it.
            self.widget.setCurrentSegmentID(segments.GetNthSegmentID(0))
        if self._entered:
            self._observe()
        self.moved.emit()

    def settle_preview(self, segmentation: vtk.vtkObject, name: str, may_stay: bool) -> bool:
        """Ask what becomes of an effect's preview on a segmentation, see `effect_preview.settle`."""
        if self._widget is None or segmentation is not self.segmentation:
            return True
        return effect_preview.settle(self._widget, name, may_stay)

    def drop_preview(self, segmentation: vtk.vtkObject) -> None:
        """Take an effect's preview on a segmentation away."""
        if self._widget is not None and segmentation is self.segmentation:
            effect_preview.drop(self._widget)

    def look_at(self, volume: vtk.vtkObject) -> None:
        """Go on with the same segmentation on another volume, such as another channel of the scan."""
        self.widget.setSourceVolumeNode(volume)

    def release(self) -> None:
        """Edit nothing any more; what was drawn stays in its node, and what an effect previews goes."""
        if self._widget is None:
            return
        effect_preview.drop(self._widget)
        self._rest()
        self._widget.setSegmentationNode(None)
        self._widget.setSourceVolumeNode(None)
        self._widget.visible = False
        self.section = ""
        self.moved.emit()

    def enter(self) -> None:
        """The person comes to the module: the editor's keys and its view of the mouse work from now on."""
        self._entered = True
        if self._widget is not None and self.section:
            self._observe()

    def exit(self) -> None:
        """The person goes to another module."""
        self._entered = False
        if self._widget is not None:
            self._rest()

    def close(self) -> None:
        """The module goes."""
        if self._widget is None:
            return
        self.exit()
        self.release()
        self._widget.setMRMLSegmentEditorNode(None)
        self._widget.deleteLater()
        self._widget = None

    def scene_closed(self) -> None:
        """Take a new editor node after the scene took the old one away."""
        if self._widget is not None:
            self._widget.setMRMLSegmentEditorNode(_editor_node())
            # The node may be the same, emptied while the widget looked at no changes.
            self._widget.updateWidgetFromMRML()

    def _observe(self) -> None:
        self.widget.setupViewObservations()
        self.widget.installKeyboardShortcuts()

    def _rest(self) -> None:
        """Leave the keys and the mouse to others: a key that two want does nothing every other time."""
        self._widget.setActiveEffectByName("")
        self._widget.uninstallKeyboardShortcuts()
        self._widget.removeViewObservations()

    def _made(self) -> Any:
        widget = slicer.qMRMLSegmentEditorWidget()
        widget.setMRMLScene(slicer.mrmlScene)
        widget.setMRMLSegmentEditorNode(_editor_node())
        widget.maximumNumberOfUndoStates = _UNDO_STATES
        widget.segmentationNodeSelectorVisible = False
        widget.sourceVolumeNodeSelectorVisible = False
        widget.switchToSegmentationsButtonVisible = False
        widget.specifyGeometryButtonVisible = False
        # The sections show the scan themselves; a widget that rests must not change what a person looks at.
        widget.autoShowSourceVolumeNode = False
        return widget


def _editor_node() -> vtk.vtkObject:
    """The state of the editor: one of our own, so that the module Segment Editor keeps its own."""
    tag = "MedSSLSegmentEditor"
    found = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSegmentEditorNode")
    if found is not None:
        return found
    node = slicer.vtkMRMLSegmentEditorNode()
    node.SetSingletonTag(tag)
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)
