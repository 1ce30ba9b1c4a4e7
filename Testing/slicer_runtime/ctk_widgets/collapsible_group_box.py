"""Stands in for ctkCollapsibleGroupBox: a group box that folds."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets
from slicer_runtime.ctk_widgets.folding import Folding


class CollapsibleGroupBox(QtWidgets.QGroupBox):
    """A checkable group box whose contents are hidden while it is not checked."""

    def __init__(self, parent: QtWidgets.QWidget | str | None = None) -> None:
        super().__init__(parent) if parent is not None else super().__init__()
        self._folding = Folding(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)

    def _on_toggled(self, checked: bool) -> None:
        self._folding.fold(not checked)
        self.updateGeometry()
