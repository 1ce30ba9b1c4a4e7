"""Stands in for ctkDirectoryButton: a button that shows a folder and asks for another."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets


class DirectoryButton(QtWidgets.QWidget):
    """A push button with the folder's path on it."""

    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._directory = ""
        self._caption = ""
        self._button = QtWidgets.QPushButton(self)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._button)
        self._button.clicked.connect(self.browse)

    def _get_directory(self) -> str:
        return self._directory

    def _set_directory(self, path: str) -> None:
        if path != self._directory:
            self._directory = path
            self._button.setText(path)
            self.directoryChanged.emit(path)

    directory = QtCore.Property(str, _get_directory, _set_directory)

    def _get_caption(self) -> str:
        return self._caption

    def _set_caption(self, caption: str) -> None:
        self._caption = caption

    caption = QtCore.Property(str, _get_caption, _set_caption)

    def browse(self) -> None:
        """Ask for a folder."""
        path = QtWidgets.QFileDialog.getExistingDirectory(self, self._caption, self._directory)
        if path:
            self._set_directory(path)
            self.directorySelected.emit(path)
