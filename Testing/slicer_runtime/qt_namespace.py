"""The flat module `qt`, as PythonQt builds it: QtCore, QtGui, QtWidgets and QtUiTools in one namespace."""

from __future__ import annotations

from types import ModuleType

from PySide6 import QtCore, QtGui, QtWidgets

from slicer_runtime.record import recorded_classes
from slicer_runtime.ui_loader import QUiLoader

# Not in the record, which lists chosen classes; but the application's own slicer.util uses them.
USED_BY_SLICER_UTIL = frozenset({"QApplication", "QDir", "QFile", "QFileInfo", "QSysInfo", "QUiLoader", "Qt"})


class _Module(ModuleType):
    def __getattr__(self, name: str) -> object:
        raise AttributeError(f"'qt.{name}' is not known to exist in 3D Slicer (see api_record.json)")


def qt_names() -> frozenset[str]:
    """The names that `qt` may offer."""
    recorded = {name.removeprefix("qt.") for name in recorded_classes() if name.startswith("qt.")}
    return frozenset(recorded | USED_BY_SLICER_UTIL)


def make_qt() -> ModuleType:
    """The module that `import qt` brings."""
    module = _Module("qt", __doc__)
    for name in sorted(qt_names()):
        found = next(
            (getattr(part, name) for part in (QtWidgets, QtGui, QtCore) if hasattr(part, name)), None
        )
        if found is not None:
            setattr(module, name, found)
    module.QUiLoader = QUiLoader
    return module
