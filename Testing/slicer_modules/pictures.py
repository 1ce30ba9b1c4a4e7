"""Pictures of widgets for those who look at them; Qt is seen here as PySide6 and the stand-in see it."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtWidgets
from slicer_runtime.palettes import use_palette


def save_picture(widget: QtWidgets.QWidget, path: Path, dark: bool, width: int = 480) -> None:
    """Save how a widget looks at the usual width of Slicer's panel."""
    application = QtWidgets.QApplication.instance()
    assert isinstance(application, QtWidgets.QApplication)
    use_palette(application, dark)
    widget.show()
    for _ in range(3):
        widget.resize(width, widget.sizeHint().height())
        application.processEvents()
    widget.grab().save(str(path))
    use_palette(application, False)
