"""Stands in for ctkCollapsibleButton: a section of a panel that folds under its heading."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets
from slicer_runtime.ctk_widgets.folding import Folding


class CollapsibleButton(QtWidgets.QAbstractButton):
    """A heading that is a button, and the widgets in its own layout below it."""

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | str | None = None) -> None:
        text = parent if isinstance(parent, str) else ""
        super().__init__(None if isinstance(parent, str) else parent)
        self.setText(text)
        self._collapsed = False
        self._folding = Folding(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._heading_height(), 0, 0)
        self.toggled.connect(self._on_toggled)

    def _heading_height(self) -> int:
        return self.fontMetrics().height() + 10

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)

    def _on_toggled(self, checked: bool) -> None:
        if self._collapsed == (not checked):
            return
        self._collapsed = not checked
        self._folding.fold(self._collapsed)
        self.setMaximumHeight(self._heading_height() if self._collapsed else 16777215)
        self.updateGeometry()
        self.update()
        self.contentsCollapsed.emit(self._collapsed)

    def hitButton(self, position: QtCore.QPoint) -> bool:
        """Only the heading is the button."""
        return position.y() < self._heading_height()

    def sizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        heading = QtCore.QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._heading_height())
        if layout is None or self._collapsed:
            return heading
        return heading.expandedTo(layout.totalSizeHint())

    def minimumSizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        if layout is None or self._collapsed:
            return QtCore.QSize(40, self._heading_height())
        return QtCore.QSize(40, self._heading_height()).expandedTo(layout.totalMinimumSize())

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), self._heading_height())
        option.state |= QtWidgets.QStyle.StateFlag.State_Raised
        self.style().drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        side = self._heading_height() // 2
        arrow.rect = QtCore.QRect(8, (self._heading_height() - side) // 2, side, side)
        element = (
            QtWidgets.QStyle.PrimitiveElement.PE_IndicatorArrowRight
            if self._collapsed
            else QtWidgets.QStyle.PrimitiveElement.PE_IndicatorArrowDown
        )
        self.style().drawPrimitive(element, arrow, painter, self)
        enabled = QtGui.QPalette.ColorGroup.Active if self.isEnabled() else QtGui.QPalette.ColorGroup.Disabled
        painter.setPen(self.palette().color(enabled, QtGui.QPalette.ColorRole.ButtonText))
        where = option.rect.adjusted(14 + side, 0, -8, 0)
        align = QtCore.Qt.AlignmentFlag.AlignVCenter | QtCore.Qt.AlignmentFlag.AlignLeft
        painter.drawText(where, align, self.text())
