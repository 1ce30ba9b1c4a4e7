"""Stand-ins for the CTK widgets that are a Qt widget and little more."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets


class SearchBox(QtWidgets.QLineEdit):
    """Stands in for ctkSearchBox."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon_shown = True
        self.setClearButtonEnabled(True)

    def _get_icon_shown(self) -> bool:
        return self._icon_shown

    def _set_icon_shown(self, shown: bool) -> None:
        self._icon_shown = shown

    showSearchIcon = QtCore.Property(bool, _get_icon_shown, _set_icon_shown)


class MenuButton(QtWidgets.QPushButton):
    """Stands in for ctkMenuButton."""


class MessageBox(QtWidgets.QMessageBox):
    """Stands in for ctkMessageBox, which can be told not to come again."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = ""
        self._box = QtWidgets.QCheckBox("Don't show this message again")

    def _get_key(self) -> str:
        return self._key

    def _set_key(self, key: str) -> None:
        self._key = key
        self.setCheckBox(self._box)

    dontShowAgainSettingsKey = QtCore.Property(str, _get_key, _set_key)

    def _get_visible(self) -> bool:
        return self.checkBox() is not None

    def _set_visible(self, visible: bool) -> None:
        self.setCheckBox(self._box if visible else None)

    dontShowAgainVisible = QtCore.Property(bool, _get_visible, _set_visible)

    def _get_again(self) -> bool:
        return self._box.isChecked()

    def setDontShowAgain(self, dont: bool) -> None:
        self._box.setChecked(dont)

    dontShowAgain = QtCore.Property(bool, _get_again, setDontShowAgain)


class ColorPickerButton(QtWidgets.QPushButton):
    """Stands in for ctkColorPickerButton: a button that shows a color and asks for another."""

    colorChanged = QtCore.Signal(QtGui.QColor)
    colorNameChanged = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | str | None = None) -> None:
        super().__init__(parent) if parent is not None else super().__init__()
        self._color = QtGui.QColor(0, 0, 0)
        self._name_shown = True
        self.clicked.connect(self.changeColor)
        self._show()

    def _show(self) -> None:
        swatch = QtGui.QPixmap(self.iconSize())
        swatch.fill(self._color)
        self.setIcon(QtGui.QIcon(swatch))
        self.setText(self._color.name() if self._name_shown else "")

    def _get_color(self) -> QtGui.QColor:
        return self._color

    def setColor(self, color: QtGui.QColor) -> None:
        if color != self._color:
            self._color = QtGui.QColor(color)
            self._show()
            self.colorChanged.emit(self._color)
            self.colorNameChanged.emit(self._color.name())

    color = QtCore.Property(QtGui.QColor, _get_color, setColor)

    def _get_name_shown(self) -> bool:
        return self._name_shown

    def setDisplayColorName(self, shown: bool) -> None:
        self._name_shown = shown
        self._show()

    displayColorName = QtCore.Property(bool, _get_name_shown, setDisplayColorName)

    def changeColor(self) -> None:
        """Ask for a color."""
        chosen = QtWidgets.QColorDialog.getColor(self._color, self)
        if chosen.isValid():
            self.setColor(chosen)


class FittedTextBrowser(QtWidgets.QTextBrowser):
    """Stands in for ctkFittedTextBrowser: as high as its text."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setVerticalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.textChanged.connect(self.updateGeometry)

    def heightForWidth(self, width: int) -> int:
        document = self.document().clone()
        document.setTextWidth(width - 2 * self.frameWidth())
        return round(document.size().height()) + 2 * self.frameWidth()

    def sizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(200, self.heightForWidth(max(self.width(), 200)))
