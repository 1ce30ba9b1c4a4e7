"""Stands in for ctkCollapsibleGroupBox: a group box that folds."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets


class CollapsibleGroupBox(QtWidgets.QGroupBox):
    """A checkable group box whose contents are hidden while it is not checked."""

    def __init__(self, parent: QtWidgets.QWidget | str | None = None) -> None:
        super().__init__(parent) if parent is not None else super().__init__()
        self._hidden_here: list[QtWidgets.QWidget] = []
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)

    def _on_toggled(self, checked: bool) -> None:
        if checked:
            for child in self._hidden_here:
                child.show()
            self._hidden_here = []
        else:
            children = [child for child in self.children() if isinstance(child, QtWidgets.QWidget)]
            self._hidden_here = [child for child in children if not child.isHidden()]
            for child in self._hidden_here:
                child.hide()
        self.updateGeometry()

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        super().childEvent(event)
        child = event.child()
        if event.added() and isinstance(child, QtWidgets.QWidget) and not self.isChecked():
            self._hidden_here.append(child)
            child.hide()
