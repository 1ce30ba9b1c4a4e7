"""The colors of Slicer's two styles, light and dark."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

_Role = QtGui.QPalette.ColorRole
_LIGHT = {"window": "#f0f0f0", "base": "#ffffff", "text": "#1a1a1a", "button": "#e4e4e4", "marked": "#308cc6"}
_DARK = {"window": "#2b2b2b", "base": "#1f1f1f", "text": "#e6e6e6", "button": "#3a3a3a", "marked": "#4a90d9"}


def use_palette(application: QtWidgets.QApplication, dark: bool) -> None:
    """Show the whole application in one of the two."""
    colors = _DARK if dark else _LIGHT
    palette = QtGui.QPalette(QtGui.QColor(colors["button"]), QtGui.QColor(colors["window"]))
    for role, name in (
        (_Role.Window, "window"),
        (_Role.Base, "base"),
        (_Role.AlternateBase, "window"),
        (_Role.WindowText, "text"),
        (_Role.Text, "text"),
        (_Role.Button, "button"),
        (_Role.ButtonText, "text"),
        (_Role.ToolTipBase, "base"),
        (_Role.ToolTipText, "text"),
        (_Role.Highlight, "marked"),
    ):
        palette.setColor(role, QtGui.QColor(colors[name]))
    palette.setColor(_Role.HighlightedText, QtGui.QColor("#ffffff"))
    palette.setColor(_Role.PlaceholderText, QtGui.QColor("#8a8a8a"))
    disabled = QtGui.QPalette.ColorGroup.Disabled
    for role in (_Role.WindowText, _Role.Text, _Role.ButtonText):
        palette.setColor(disabled, role, QtGui.QColor("#8a8a8a"))
    application.setPalette(palette)
