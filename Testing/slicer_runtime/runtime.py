"""Puts the stand-in together, once a process."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # needs no screen either

import slicer
import vtk
from PySide6 import QtCore

from slicer_runtime import packaging, sample_data_module, scripted_module, translation
from slicer_runtime.application import Application
from slicer_runtime.ctk_namespace import CTK_WIDGETS, make_ctk
from slicer_runtime.io_manager import IOManager
from slicer_runtime.layout_manager import LayoutManager
from slicer_runtime.main_window import MainWindow
from slicer_runtime.module_manager import ModuleManager, ScriptedModule, ScriptedModuleWidget
from slicer_runtime.mrml_namespace import MRML_WIDGETS
from slicer_runtime.property_style import use_properties, use_properties_on_import
from slicer_runtime.pythonqt_view import classes_of, narrow
from slicer_runtime.qt_namespace import make_qt
from slicer_runtime.record import recorded_object
from slicer_runtime.ui_loader import register
from slicer_runtime.watchdog import Watchdog

_OBJECTS = {
    Application: recorded_object("slicer.app"),
    IOManager: recorded_object("slicer.app.ioManager()"),
    LayoutManager: recorded_object("slicer.app.layoutManager()"),
}
SCRIPTS = ("MedSSLSegment", "MedSSLPretrain", "MedSSLLib", "selftest_drawing", "selftest_surroundings")


@dataclass(frozen=True)
class Runtime:
    """The parts of the stand-in, for tests that need more than `slicer` shows."""

    application: Application
    modules: ModuleManager
    window: MainWindow
    scene: Any

    strays: list[str]
    """Where threads beside the main one changed the scene, perhaps while its views were drawn."""

    _started: ClassVar[Runtime | None] = None
    _watchdog: ClassVar[Watchdog | None] = None

    def load_module(self, path: Path) -> ScriptedModule:
        """Load a module from its script `<Name>.py`, if it is not loaded yet."""
        return self.modules.module(path.stem) or self.modules.load(path)

    def set_testing(self, testing: bool) -> None:
        """Whether `slicer.app.testingEnabled()` says that nothing may wait for a click; at first it does."""
        self.application.setTesting(testing)

    def work(self) -> None:
        """What one turn of the application's event loop does, deletions that were put off included."""
        with self.watching():
            self.application.processEvents()
            self.application.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)

    def watching(self) -> AbstractContextManager[None]:
        """Has the watchdog, if one is set, measure what is done inside, such as a click."""
        return nullcontext() if Runtime._watchdog is None else Runtime._watchdog.stretch()

    def set_watchdog(self, watchdog: Watchdog | None) -> None:
        """Measure every turn of the event loop from now on; None for no more."""
        Runtime._watchdog = watchdog

    def after_start(self, call: Callable[[], None]) -> None:
        """Have `call` made once the event loop runs."""
        QtCore.QTimer.singleShot(0, call)

    def clear(self) -> None:
        """Close the scene and leave the open module, as between two tests."""
        self.window.moduleSelector().selectModule("")
        self.scene.Clear(0)
        self.application.layoutManager().reset()
        self.work()


def start() -> Runtime:
    """Make `import slicer, qt, ctk, vtk` work as in 3D Slicer; a second call returns the same runtime."""
    if Runtime._started is None:
        Runtime._started = _start()
    return Runtime._started


def _add_generic_colors(scene: Any) -> None:
    """The color table of label maps, which the application reads from a file of its installation."""
    node = slicer.vtkMRMLColorTableNode()
    node.SetSingletonTag("FileGenericColors.txt")
    node.SetName("GenericColors")
    node.SetTypeToUser()
    node.SetNumberOfColors(8)
    for value in range(8):
        node.SetColor(value, str(value), *(float(value >> bit & 1) for bit in range(3)), float(value > 0))
    scene.AddNode(node)


def _add_cache(scene: Any, folder: Path) -> None:
    """The cache for downloads, which qSlicerCoreApplication::initDataIO gives the scene."""
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(str(folder))
    scene.SetCacheManager(cache)


def _keep_constants() -> None:
    """Let None, True and False outlive what PySide6's wheels do to them.

    They count on Python 3.12, where these are never freed, and give back at a call without an answer a
    reference that they did not take; an older Python ends when the last one is gone.
    """
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def _start() -> Runtime:
    _keep_constants()
    use_properties_on_import(*SCRIPTS)
    use_properties("slicer.util")
    application = Application()
    sys.modules["qt"] = make_qt()
    sys.modules["ctk"] = make_ctk()
    register({**CTK_WIDGETS, **MRML_WIDGETS})
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.SetHomeDirectory(application.slicerHome)
    _add_cache(scene, Path(f"{application.temporaryPath} IO"))
    modules = ModuleManager()
    modules.modules.applicationLogic = lambda: logic
    slicer.app = application
    slicer.mrmlScene = scene
    slicer.modules = modules.modules
    for name, widget in MRML_WIDGETS.items():
        setattr(slicer, name, widget)
    slicer.qSlicerScriptedLoadableModule = ScriptedModule
    slicer.qSlicerScriptedLoadableModuleWidget = ScriptedModuleWidget
    for name, part in (
        ("ScriptedLoadableModule", scripted_module),
        ("i18n", translation),
        ("packaging", packaging),
    ):
        setattr(slicer, name, part)
        sys.modules[f"slicer.{name}"] = part
    warnings = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.GlobalWarningDisplayOff()  # about files of the application's installation
    namespaces = (sys.modules["qt"], sys.modules["ctk"], slicer)
    recorded = {cls: facts for part in namespaces for cls, facts in classes_of(part).items()}
    narrow({**recorded, **_OBJECTS})
    slicer.modules.sampleDataSources = {}
    sys.modules["SampleData"] = sample_data_module
    modules.add_logics(scene, logic)
    _add_generic_colors(scene)
    vtk.vtkObject.SetGlobalWarningDisplay(warnings)
    layout = LayoutManager(scene, logic)
    files = IOManager(scene, modules.modules)
    application.prepare(scene, logic, layout, files, modules)
    window = MainWindow(modules, layout.viewport())
    application.processEvents()
    strays: list[str] = []

    def look(*_arguments: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            strays.append("".join(traceback.format_stack(limit=6)[:-1]))

    for event in (scene.NodeAddedEvent, scene.NodeAboutToBeRemovedEvent):
        scene.AddObserver(event, look)
    return Runtime(application, modules, window, scene, strays)
