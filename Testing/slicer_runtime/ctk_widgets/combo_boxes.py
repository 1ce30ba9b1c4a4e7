"""Stand-ins for ctkComboBox and ctkCheckableComboBox."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

CheckState = QtCore.Qt.CheckState


class ComboBox(QtWidgets.QComboBox):
    """A combo box with a text for when nothing is chosen."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._default = ""

    def _get_default(self) -> str:
        return self._default

    def _set_default(self, text: str) -> None:
        self._default = text
        self.setPlaceholderText(text)

    defaultText = QtCore.Property(str, _get_default, _set_default)

    def _get_data(self) -> str:
        data = self.currentData()
        return "" if data is None else str(data)

    def setCurrentUserDataAsString(self, data: str) -> None:
        self.setCurrentIndex(self.findData(data))

    currentUserDataAsString = QtCore.Property(str, _get_data, setCurrentUserDataAsString)


class CheckableComboBox(QtWidgets.QComboBox):
    """A combo box of which several items can be chosen."""

    checkedIndexesChanged = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.model().rowsInserted.connect(self._on_rows)
        self.model().dataChanged.connect(self._on_data)

    def _on_rows(self, _parent: QtCore.QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            item = self.model().item(row)
            item.setFlags(item.flags() | QtCore.Qt.ItemFlag.ItemIsUserCheckable)
            item.setData(CheckState.Unchecked, QtCore.Qt.ItemDataRole.CheckStateRole)

    def _on_data(self, _first: QtCore.QModelIndex, _last: QtCore.QModelIndex, roles: list[int]) -> None:
        if QtCore.Qt.ItemDataRole.CheckStateRole in roles:
            self.checkedIndexesChanged.emit()
            self.update()

    def _items(self) -> list[QtGui.QStandardItem]:
        return [self.model().item(row) for row in range(self.count())]

    def checkedIndexes(self) -> list[QtCore.QModelIndex]:
        """The model indexes of the chosen items."""
        return [item.index() for item in self._items() if item.checkState() == CheckState.Checked]

    def allChecked(self) -> bool:
        return all(item.checkState() == CheckState.Checked for item in self._items())

    def noneChecked(self) -> bool:
        return not self.checkedIndexes()

    def checkState(self, index: QtCore.QModelIndex) -> CheckState:
        return self.model().itemFromIndex(index).checkState()

    def setCheckState(self, index: QtCore.QModelIndex, state: CheckState) -> None:
        self.model().itemFromIndex(index).setCheckState(state)

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = ", ".join(index.data() for index in self.checkedIndexes())
        painter.drawComplexControl(QtWidgets.QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_ComboBoxLabel, option)
