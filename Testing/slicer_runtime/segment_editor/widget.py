"""Stands in for qMRMLSegmentEditorWidget, on the application's real vtkSlicerSegmentEditorLogic.

It has the effects Paint, Erase, Threshold and Grow from seeds, masking, undo and redo; the other effects of
the original are not here.
"""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from slicer_runtime.mrml_widgets.mrml_widget import MRMLWidget
from slicer_runtime.mrml_widgets.node_combo_box import NodeComboBox
from slicer_runtime.segment_editor.auto_complete import GrowFromSeedsEffect
from slicer_runtime.segment_editor.effects import EFFECTS, Effect
from slicer_runtime.segment_editor.masking import MaskingSection
from slicer_runtime.segment_editor.segments_table import SegmentsTableView
from slicer_runtime.segment_editor.shortcuts import EditorShortcuts
from slicer_runtime.segment_editor.show_3d_button import Show3DButton
from slicer_runtime.segment_editor.view_events import ViewEvents


class SegmentEditorWidget(MRMLWidget):
    """The editor as it is embedded in a module's panel."""

    segmentationNodeChanged = QtCore.Signal(object)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    currentSegmentIDChanged = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._node: Any = None
        self._node_tag = 0
        self._shown_nodes: tuple[Any, Any, str] = (None, None, "")
        self._last_effect = ""
        self._locked = False
        self._auto_show = True
        self._effects: dict[str, Effect] = {
            made.name: made(self._logic, self.setActiveEffectByName)
            for made in (*EFFECTS, GrowFromSeedsEffect)
        }
        self._events = ViewEvents(self.activeEffect)
        self._shortcuts = EditorShortcuts(
            self._on_effect_key, self.undo, self.redo, self.selectSegmentAtOffset, self._toggle_mask
        )
        self._logic.AddObserver(self._logic.SegmentationHistoryChangedEvent, lambda *_: self._show_undo())
        self._build()

    def _build(self) -> None:
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._selectors = QtWidgets.QFormLayout()
        self._segmentation_box, self._volume_box = NodeComboBox(), NodeComboBox()
        self._segmentation_box.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._volume_box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        for box in (self._segmentation_box, self._volume_box):
            box.noneEnabled = True
        self._selectors.addRow("Segmentation:", self._segmentation_box)
        self._selectors.addRow("Source volume:", self._volume_box)
        column.addLayout(self._selectors)
        row = QtWidgets.QHBoxLayout()
        self._add = QtWidgets.QPushButton("Add")
        self._remove = QtWidgets.QPushButton("Remove")
        self._show_3d = Show3DButton()
        self._switch = QtWidgets.QPushButton("Segmentations...")
        for button in (self._add, self._remove, self._show_3d, self._switch):
            row.addWidget(button)
        column.addLayout(row)
        self._table = SegmentsTableView()
        self._table.setMinimumHeight(110)
        column.addWidget(self._table)
        effects = QtWidgets.QGridLayout()
        self._buttons: dict[str, QtWidgets.QToolButton] = {}
        for number, name in enumerate(("", *self._effects)):
            button = QtWidgets.QToolButton()
            button.setText(name or "None")
            button.setCheckable(True)
            # No wider for a longer name: the original's buttons have icons.
            button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda *_, name=name: self.setActiveEffectByName(name))
            self._buttons[name] = button
            effects.addWidget(button, number // 4, number % 4)
        self._undo, self._redo = QtWidgets.QToolButton(), QtWidgets.QToolButton()
        for button, text, act in ((self._undo, "Undo", self.undo), (self._redo, "Redo", self.redo)):
            button.setText(text)
            button.clicked.connect(lambda *_, act=act: act())
        effects.addWidget(self._undo, 0, 4)
        effects.addWidget(self._redo, 0, 5)
        column.addLayout(effects)
        self._options = QtWidgets.QFrame()
        QtWidgets.QVBoxLayout(self._options).setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._options)
        self._masking = MaskingSection()
        column.addWidget(self._masking)
        self._add.clicked.connect(self._on_add)
        self._remove.clicked.connect(self._on_remove)
        self._segmentation_box.currentNodeChanged.connect(self.setSegmentationNode)
        self._volume_box.currentNodeChanged.connect(self.setSourceVolumeNode)
        self._table._chosen.connect(self.setCurrentSegmentID)
        self._show_undo()

    # the state, which is in the editor node

    def _on_scene(self) -> None:
        self._logic.SetMRMLScene(self._scene)
        for widget in (self._segmentation_box, self._volume_box, self._table):
            widget.setMRMLScene(self._scene)

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        if self._node is not None:
            self._node.RemoveObserver(self._node_tag)
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        self._masking.follow(node)
        if node is not None:
            self._node_tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._on_node())
        self._on_node()

    def _on_node(self) -> None:
        self.updateWidgetFromMRML()

    def updateWidgetFromMRML(self) -> None:
        """Show what the editor node says, and tell what changed in it."""
        segmentation, volume = self.segmentationNode(), self.sourceVolumeNode()
        chosen = self.currentSegmentID()
        if segmentation is not None and segmentation is not self._shown_nodes[0] and not chosen:
            segments = segmentation.GetSegmentation()
            if segments.GetNumberOfSegments():
                self._node.SetSelectedSegmentID(segments.GetNthSegmentID(0))  # which brings us here again
                return
        before, self._shown_nodes = self._shown_nodes, (segmentation, volume, chosen)
        self._logic.SetSegmentationNode(segmentation)
        self._logic.SetSourceVolumeNode(volume)
        if segmentation is not before[0]:
            self._table.setSegmentationNode(segmentation)
            self._show_3d.setSegmentationNode(segmentation)
            self._segmentation_box.setCurrentNode(segmentation)
            if segmentation is not None:
                segmentation.CreateDefaultDisplayNodes()
            self.segmentationNodeChanged.emit(segmentation)
        if volume is not before[1]:
            self._volume_box.setCurrentNode(volume)
            if volume is not None and segmentation is not None:
                segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
                if self._auto_show:
                    self._show_in_views(volume)
            self.sourceVolumeNodeChanged.emit(volume)
        if chosen != before[2]:
            self._table.setSelectedSegmentIDs([chosen] if chosen else [])
            self.currentSegmentIDChanged.emit(chosen)
        ready = segmentation is not None and volume is not None
        for name, button in self._buttons.items():
            button.setEnabled(ready and not self._locked)
            button.setChecked(bool(self._node) and (self._node.GetActiveEffectName() or "") == name)
        self._show_options()
        self._show_undo()

    def segmentationNode(self) -> Any:
        return None if self._node is None else self._node.GetSegmentationNode()

    def setSegmentationNode(self, node: Any) -> None:
        if self._node is not None and node is not self.segmentationNode():
            self.setActiveEffectByName("")
            with slicer.util.NodeModify(self._node):
                self._node.SetSelectedSegmentID(None)
                self._node.SetAndObserveSegmentationNode(node)
            self._logic.ClearUndoState()

    def sourceVolumeNode(self) -> Any:
        return None if self._node is None else self._node.GetSourceVolumeNode()

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._node is not None and node is not self.sourceVolumeNode():
            self._node.SetAndObserveSourceVolumeNode(node)

    def segmentationNodeID(self) -> str:
        return self.segmentationNode().GetID() if self.segmentationNode() is not None else ""

    def sourceVolumeNodeID(self) -> str:
        return self.sourceVolumeNode().GetID() if self.sourceVolumeNode() is not None else ""

    def currentSegmentID(self) -> str:
        return "" if self._node is None else self._node.GetSelectedSegmentID() or ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        if self._node is not None and segment_id != self.currentSegmentID():
            self._node.SetSelectedSegmentID(segment_id)

    def selectSegmentAtOffset(self, offset: int) -> None:
        self._logic.SelectSegmentAtOffset(offset)

    def selectNextSegment(self) -> None:
        self.selectSegmentAtOffset(1)

    def selectPreviousSegment(self) -> None:
        self.selectSegmentAtOffset(-1)

    def _on_add(self, *_: Any) -> None:
        self._logic.SaveStateForUndo()
        self.setCurrentSegmentID(self._logic.AddEmptySegment())

    def _on_remove(self, *_: Any) -> None:
        self._logic.SaveStateForUndo()
        self._logic.RemoveSelectedSegment()

    # effects

    def activeEffect(self) -> Effect | None:
        name = "" if self._node is None else self._node.GetActiveEffectName() or ""
        return self._effects.get(name)

    def setActiveEffectByName(self, name: str) -> None:
        if self._node is None or (self._node.GetActiveEffectName() or "") == (name or ""):
            return
        if name and name not in self._effects:
            raise NotImplementedError(f"The stand-in for the Segment Editor has no effect '{name}'.")
        if name and (self.segmentationNode() is None or self.sourceVolumeNode() is None):
            return
        self._last_effect = self._node.GetActiveEffectName() or self._last_effect
        self._node.SetActiveEffectName(name)

    def setActiveEffect(self, effect: Effect | None) -> None:
        self.setActiveEffectByName("" if effect is None else effect.name)

    def effectByName(self, name: str) -> Effect | None:
        return self._effects.get(name)

    def effectByIndex(self, index: int) -> Effect | None:
        return ([None, *self._effects.values()])[index] if 0 <= index <= len(self._effects) else None

    def effectCount(self) -> int:
        return len(self._effects)

    def availableEffectNames(self) -> tuple[str, ...]:
        return tuple(self._effects)

    def _on_effect_key(self, index: int) -> None:
        chosen = self._effects.get(self._last_effect) if index < 0 else self.effectByIndex(index)
        if not self._locked:
            self.setActiveEffect(None if chosen is self.activeEffect() else chosen)

    def _show_options(self) -> None:
        effect = self.activeEffect()
        shown = effect.optionsFrame() if effect is not None else None
        layout = self._options.layout()
        if layout.count() and layout.itemAt(0).widget() is not shown:
            before = layout.takeAt(0).widget()
            before.hide()  # or Qt, which shows what comes into a layout a moment later, makes it a window
            before.setParent(None)
        if shown is not None and not layout.count():
            layout.addWidget(shown)
            shown.show()

    # undo

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def saveStateForUndo(self) -> None:
        self._logic.SaveStateForUndo()

    def _show_undo(self) -> None:
        self._undo.setEnabled(not self._locked and self._logic.CanUndo())
        self._redo.setEnabled(not self._locked and self._logic.CanRedo())

    def _get_states(self) -> int:
        return self._logic.GetMaximumNumberOfUndoStates()

    def setMaximumNumberOfUndoStates(self, states: int) -> None:
        self._logic.SetMaximumNumberOfUndoStates(states)

    maximumNumberOfUndoStates = QtCore.Property(int, _get_states, setMaximumNumberOfUndoStates)

    # views and keys

    def setupViewObservations(self) -> None:
        self._events.observe()

    def removeViewObservations(self) -> None:
        self._events.release()

    def installKeyboardShortcuts(self, window: QtWidgets.QWidget | None = None) -> None:
        self._shortcuts.install(window or slicer.util.mainWindow())

    def uninstallKeyboardShortcuts(self) -> None:
        self._shortcuts.uninstall()

    def toggleSourceVolumeIntensityMaskEnabled(self) -> None:
        self._logic.ToggleSourceVolumeIntensityMask()

    def _toggle_mask(self) -> None:
        self.toggleSourceVolumeIntensityMaskEnabled()

    # what is shown

    def _show_in_views(self, volume: Any) -> None:
        """Lay the volume into the slice views that do not show it, in place of what they show."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            shown = (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
            if volume.GetID() not in shown:
                composite.SetBackgroundVolumeID(volume.GetID())
                composite.SetForegroundVolumeID(None)
                composite.SetLabelVolumeID(None)

    def _get_auto_show(self) -> bool:
        return self._auto_show

    def setAutoShowSourceVolumeNode(self, shown: bool) -> None:
        self._auto_show = shown

    autoShowSourceVolumeNode = QtCore.Property(bool, _get_auto_show, setAutoShowSourceVolumeNode)

    def _get_read_only(self) -> bool:
        return self._locked

    def setReadOnly(self, locked: bool) -> None:
        self._locked = locked
        for widget in (self._add, self._remove, self._masking):
            widget.setEnabled(not locked)
        self._show_3d.setLocked(locked)
        self.updateWidgetFromMRML()

    readOnly = QtCore.Property(bool, _get_read_only, setReadOnly)

    def setSegmentationNodeSelectorVisible(self, shown: bool) -> None:
        self._selectors.setRowVisible(self._segmentation_box, shown)

    def setSourceVolumeNodeSelectorVisible(self, shown: bool) -> None:
        self._selectors.setRowVisible(self._volume_box, shown)

    def setSwitchToSegmentationsButtonVisible(self, shown: bool) -> None:
        self._switch.setVisible(shown)

    def setAddRemoveSegmentButtonsVisible(self, shown: bool) -> None:
        self._add.setVisible(shown)
        self._remove.setVisible(shown)

    def setShow3DButtonVisible(self, shown: bool) -> None:
        self._show_3d.setVisible(shown)

    def setMaskingSectionVisible(self, shown: bool) -> None:
        self._masking.setVisible(shown)

    def setSpecifyGeometryButtonVisible(self, shown: bool) -> None:
        """The button is not here."""

    def _segmentation_box_shown(self) -> bool:
        return self._selectors.isRowVisible(self._segmentation_box)

    def _volume_box_shown(self) -> bool:
        return self._selectors.isRowVisible(self._volume_box)

    def _switch_shown(self) -> bool:
        return not self._switch.isHidden()

    def _add_shown(self) -> bool:
        return not self._add.isHidden()

    def _3d_shown(self) -> bool:
        return not self._show_3d.isHidden()

    def _masking_shown(self) -> bool:
        return not self._masking.isHidden()

    def _no(self) -> bool:
        return False

    segmentationNodeSelectorVisible = QtCore.Property(
        bool, _segmentation_box_shown, setSegmentationNodeSelectorVisible
    )
    sourceVolumeNodeSelectorVisible = QtCore.Property(
        bool, _volume_box_shown, setSourceVolumeNodeSelectorVisible
    )
    switchToSegmentationsButtonVisible = QtCore.Property(
        bool, _switch_shown, setSwitchToSegmentationsButtonVisible
    )
    addRemoveSegmentButtonsVisible = QtCore.Property(bool, _add_shown, setAddRemoveSegmentButtonsVisible)
    show3DButtonVisible = QtCore.Property(bool, _3d_shown, setShow3DButtonVisible)
    maskingSectionVisible = QtCore.Property(bool, _masking_shown, setMaskingSectionVisible)
    specifyGeometryButtonVisible = QtCore.Property(bool, _no, setSpecifyGeometryButtonVisible)
