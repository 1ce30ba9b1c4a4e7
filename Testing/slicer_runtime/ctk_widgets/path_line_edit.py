"""Stands in for ctkPathLineEdit: a path to be typed or browsed for."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore, QtWidgets

Filter = QtCore.QDir.Filter


class PathLineEdit(QtWidgets.QWidget):
    """An editable combo box of paths, with a button that opens a file dialog."""

    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    Dirs, Files, Drives, NoSymLinks = Filter.Dirs, Filter.Files, Filter.Drives, Filter.NoSymLinks
    AllEntries, Readable, Writable = Filter.AllEntries, Filter.Readable, Filter.Writable
    Executable, Hidden, NoDot, NoDotDot = Filter.Executable, Filter.Hidden, Filter.NoDot, Filter.NoDotDot
    NoDotAndDotDot, AllDirs = Filter.NoDotAndDotDot, Filter.AllDirs

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._filters = Filter.AllEntries
        self._name_filters: list[str] = []
        self._label = ""
        self._setting_key = ""
        self._path = ""
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self._combo.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._browse = QtWidgets.QToolButton(self)
        self._browse.setText("...")
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo)
        row.addWidget(self._browse)
        self._browse.clicked.connect(self.browse)
        self._combo.editTextChanged.connect(self._on_text)

    def _on_text(self, text: str) -> None:
        if text != self._path:
            self._path = text
            self.currentPathChanged.emit(text)
            self.validInputChanged.emit(Path(text).exists())

    def _get_path(self) -> str:
        return self._path

    def setCurrentPath(self, path: str) -> None:
        self._combo.setEditText(path)

    currentPath = QtCore.Property(str, _get_path, setCurrentPath)

    def _get_filters(self) -> Filter:
        return self._filters

    def _set_filters(self, filters: Filter) -> None:
        self._filters = filters

    filters = QtCore.Property(Filter, _get_filters, _set_filters)

    def _get_name_filters(self) -> list[str]:
        return self._name_filters

    def _set_name_filters(self, filters: list[str]) -> None:
        self._name_filters = list(filters)

    nameFilters = QtCore.Property("QStringList", _get_name_filters, _set_name_filters)

    def _get_label(self) -> str:
        return self._label

    def _set_label(self, label: str) -> None:
        self._label = label

    label = QtCore.Property(str, _get_label, _set_label)

    def _get_setting_key(self) -> str:
        return self._setting_key

    def _set_setting_key(self, key: str) -> None:
        self._setting_key = key
        self.retrieveHistory()

    settingKey = QtCore.Property(str, _get_setting_key, _set_setting_key)

    def _get_browse_shown(self) -> bool:
        return not self._browse.isHidden()

    def _set_browse_shown(self, shown: bool) -> None:
        self._browse.setVisible(shown)

    showBrowseButton = QtCore.Property(bool, _get_browse_shown, _set_browse_shown)

    def _get_history_shown(self) -> bool:
        return True

    def _set_history_shown(self, _shown: bool) -> None:
        """The arrow of the combo box stays."""

    showHistoryButton = QtCore.Property(bool, _get_history_shown, _set_history_shown)

    def comboBox(self) -> QtWidgets.QComboBox:
        return self._combo

    def retrieveHistory(self) -> None:
        """Offer the paths of before, with the last of them as the current one."""
        history = QtCore.QSettings().value(self._setting_key) if self._setting_key else None
        paths = [history] if isinstance(history, str) else list(history or [])
        self._combo.clear()
        self._combo.addItems(paths)

    def addCurrentPathToHistory(self) -> None:
        """Remember the current path under `settingKey`."""
        if not self._setting_key or not self._path:
            return
        history = QtCore.QSettings().value(self._setting_key)
        paths = [history] if isinstance(history, str) else list(history or [])
        kept = [self._path, *(path for path in paths if path != self._path)][:10]
        QtCore.QSettings().setValue(self._setting_key, kept)

    def browse(self) -> None:
        """Ask for a path; what is asked for follows from `filters`."""
        if self._filters & Filter.Files:
            if self._filters & Filter.Writable:
                path, _ = QtWidgets.QFileDialog.getSaveFileName(
                    self, self._label, self._path, ";;".join(self._name_filters)
                )
            else:
                path, _ = QtWidgets.QFileDialog.getOpenFileName(
                    self, self._label, self._path, ";;".join(self._name_filters)
                )
        else:
            path = QtWidgets.QFileDialog.getExistingDirectory(self, self._label, self._path)
        if path:
            self.setCurrentPath(path)
