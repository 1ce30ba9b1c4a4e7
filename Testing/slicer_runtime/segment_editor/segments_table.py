"""Stands in for qMRMLSegmentsTableView: the segments with their visibility, color and name."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_EVENTS = ("SegmentAdded", "SegmentRemoved", "SegmentModified", "SegmentsOrderModified")
_ID = QtCore.Qt.ItemDataRole.UserRole


class SegmentsTableView(QtWidgets.QWidget):
    """Follows a segmentation node; the eye and the name can be changed in place."""

    selectionChanged = QtCore.Signal(QtCore.QItemSelection, QtCore.QItemSelection)
    mrmlSceneChanged = QtCore.Signal(object)
    _chosen = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._tags: list[int] = []
        self._filling = False
        # Made by the loader: a table made in Python asks Python for each of its virtual functions, and finds
        # properties in their places when a module under test is the caller.
        self._table = QtUiTools.QUiLoader().createWidget("QTableWidget", self)
        self._table.setColumnCount(3)
        self._table.setHorizontalHeaderLabels(["", "Color", "Name"])
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QtWidgets.QTableWidget.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QtWidgets.QTableWidget.SelectionMode.SingleSelection)
        header = self._table.horizontalHeader()
        header.setStretchLastSection(True)
        header.resizeSection(0, 30)
        header.resizeSection(1, 50)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table)
        self._table.itemChanged.connect(self._on_item)
        self._table.selectionModel().selectionChanged.connect(self._on_selection)

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        if self._node is not None:
            for tag in self._tags:
                self._node.RemoveObserver(tag)
        self._node = node
        self._tags = []
        if node is not None:
            segmentation = node.GetSegmentation()
            kinds = [getattr(type(segmentation), name) for name in _EVENTS] + [vtk.vtkCommand.ModifiedEvent]
            self._tags = [node.AddObserver(kind, self._on_event) for kind in kinds]
            self._tags.append(node.AddObserver(type(node).DisplayModifiedEvent, self._on_event))
        self._fill()

    def _on_event(self, _node: Any, _event: str) -> None:
        self._fill()

    def tableWidget(self) -> QtWidgets.QTableWidget:
        return self._table

    def _ids(self) -> list[str]:
        return list(self._node.GetSegmentation().GetSegmentIDs()) if self._node is not None else []

    def _fill(self) -> None:
        ids, selected = self._ids(), self.selectedSegmentIDs()
        self._filling = True
        self._table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            segment = self._node.GetSegmentation().GetSegment(segment_id)
            display = self._node.GetDisplayNode()
            shown = display is None or display.GetSegmentVisibility(segment_id)
            eye = QtWidgets.QTableWidgetItem()
            eye.setFlags(QtCore.Qt.ItemFlag.ItemIsEnabled | QtCore.Qt.ItemFlag.ItemIsUserCheckable)
            state = QtCore.Qt.CheckState.Checked if shown else QtCore.Qt.CheckState.Unchecked
            eye.setCheckState(state)
            color = QtWidgets.QTableWidgetItem()
            color.setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
            color.setFlags(QtCore.Qt.ItemFlag.ItemIsEnabled)  # its color stays in sight in a chosen row
            name = QtWidgets.QTableWidgetItem(segment.GetName())
            for column, item in enumerate((eye, color, name)):
                item.setData(_ID, segment_id)
                self._table.setItem(row, column, item)
            self._table.setRowHeight(row, 24)
        self._filling = False
        self.setSelectedSegmentIDs([segment_id for segment_id in selected if segment_id in ids])

    def _on_item(self, item: QtWidgets.QTableWidgetItem) -> None:
        if self._filling or self._node is None:
            return
        segment_id = item.data(_ID)
        if item.column() == 0 and self._node.GetDisplayNode() is not None:
            shown = item.checkState() == QtCore.Qt.CheckState.Checked
            self._node.GetDisplayNode().SetSegmentVisibility(segment_id, shown)
        elif item.column() == 2:
            self._node.GetSegmentation().GetSegment(segment_id).SetName(item.text())

    def _on_selection(self, now: QtCore.QItemSelection, before: QtCore.QItemSelection) -> None:
        if not self._filling:
            self.selectionChanged.emit(now, before)
            self._chosen.emit(next(iter(self.selectedSegmentIDs()), ""))

    def selectedSegmentIDs(self) -> list[str]:
        rows = {index.row() for index in self._table.selectionModel().selectedIndexes()}
        items = [self._table.item(row, 2) for row in sorted(rows)]
        return [item.data(_ID) for item in items if item is not None]

    def setSelectedSegmentIDs(self, ids: list[str]) -> None:
        if ids == self.selectedSegmentIDs():
            return
        self._table.clearSelection()
        for row, segment_id in enumerate(self._ids()):
            if segment_id in ids:
                self._table.selectRow(row)

    def segmentIDForRow(self, row: int) -> str:
        return self._table.item(row, 2).data(_ID)

    def rowForSegmentID(self, segment_id: str) -> int:
        return self._ids().index(segment_id) if segment_id in self._ids() else -1

    def _get_count(self) -> int:
        return len(self._ids())

    segmentCount = QtCore.Property(int, _get_count)
