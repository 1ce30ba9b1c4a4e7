"""Stands in for qSlicerApplication, which modules see as `slicer.app`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PySide6 import QtCore, QtWidgets

from slicer_runtime.io_manager import IOManager
from slicer_runtime.layout_manager import LayoutManager
from slicer_runtime.module_manager import ModuleManager


class Application(QtWidgets.QApplication):
    """The one application object; `prepare` joins it with the scene."""

    startupCompleted = QtCore.Signal()
    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setOrganizationName("NA-MIC")
        self.setQuitOnLastWindowClosed(False)
        self._testing = True
        self._temporary = tempfile.mkdtemp(prefix="Slicer ")
        self._environment = dict(os.environ)
        self._options = SimpleNamespace(runPythonAndExit=False, noMainWindow=False)
        self._paused = 0

    def prepare(
        self, scene: Any, logic: Any, layout: LayoutManager, files: IOManager, modules: ModuleManager
    ) -> None:
        """Take the parts that the application owns."""
        self._scene, self._logic = scene, logic
        self._layout, self._files, self._modules = layout, files, modules
        settings = Path(self._temporary) / "Slicer.ini"
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
        QtCore.QSettings.setPath(
            QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope, str(settings.parent)
        )
        self._settings = QtCore.QSettings()

    def setTesting(self, testing: bool) -> None:
        """For tests: whether `testingEnabled()` says so."""
        self._testing = testing

    def testingEnabled(self) -> bool:
        """Whether nothing may wait for a click."""
        return self._testing

    def _get_temporary(self) -> str:
        return self._temporary

    def _set_temporary(self, path: str) -> None:
        self._temporary = path

    temporaryPath = QtCore.Property(str, _get_temporary, _set_temporary)

    def _get_home(self) -> str:
        return str(Path(self._temporary) / "Slicer 5.13.0")

    slicerHome = QtCore.Property(str, _get_home)

    def _get_major(self) -> int:
        return 5

    def _get_minor(self) -> int:
        return 13

    majorVersion = QtCore.Property(int, _get_major)
    minorVersion = QtCore.Property(int, _get_minor)

    def startupEnvironment(self) -> Any:
        """The environment from before the application set its own variables."""
        environment = QtCore.QProcessEnvironment()
        for name, value in self._environment.items():
            environment.insert(name, value)
        return environment

    def mrmlScene(self) -> Any:
        return self._scene

    def applicationLogic(self) -> Any:
        return self._logic

    def layoutManager(self) -> LayoutManager:
        return self._layout

    def ioManager(self) -> IOManager:
        return self._files

    def coreIOManager(self) -> IOManager:
        return self._files

    def moduleManager(self) -> ModuleManager:
        return self._modules

    def commandOptions(self) -> SimpleNamespace:
        return self._options

    def userSettings(self) -> QtCore.QSettings:
        return self._settings

    def settings(self) -> QtCore.QSettings:
        return self._settings

    def pauseRender(self) -> None:
        self._paused += 1

    def resumeRender(self) -> None:
        self._paused -= 1

    def logUsageEvent(self, component: str, event: str) -> None:
        """Nobody counts here."""
