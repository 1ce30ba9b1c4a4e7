"""Stands in for `slicer.modules` and qSlicerModuleManager: modules by name, with their real logics."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from slicer_runtime.property_style import use_properties

# The modules of the application whose logics are in slicer-core.
_LOGICS = {
    "cameras": "vtkSlicerCamerasModuleLogic",
    "colors": "vtkSlicerColorLogic",
    "cropvolume": "vtkSlicerCropVolumeLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "models": "vtkSlicerModelsLogic",
    "plots": "vtkSlicerPlotsLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "tables": "vtkSlicerTablesLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "texts": "vtkSlicerTextsLogic",
    "transforms": "vtkSlicerTransformLogic",
    "units": "vtkSlicerUnitsLogic",
    "volumes": "vtkSlicerVolumesLogic",
}


class LogicModule:
    """A module of the application of which only the logic exists here."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


class ScriptedModule(QtCore.QObject):
    """Stands in for qSlicerScriptedLoadableModule: what a module's class gets as its `parent`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name = path.stem
        self.path = str(path)
        self.title = path.stem
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.associatedNodeTypes: list[str] = []
        self.helpText = ""
        self.acknowledgementText = ""
        self.icon: Any = None
        self.hidden = False
        self.index = -1
        self.python: Any = None
        self._widget: ScriptedModuleWidget | None = None

    def widgetRepresentation(self) -> ScriptedModuleWidget:
        """The module's widget, set up when it is first asked for."""
        if self._widget is None:
            self._widget = ScriptedModuleWidget(self)
            self._widget.setup()
        return self._widget

    def hasWidget(self) -> bool:
        return self._widget is not None

    def unload(self) -> None:
        if self._widget is not None:
            self._widget.discard()
            self._widget = None


class ScriptedModuleWidget(QtWidgets.QWidget):
    """Stands in for qSlicerScriptedLoadableModuleWidget: the frame in which `<Name>Widget` lives."""

    def __init__(self, module: ScriptedModule) -> None:
        super().__init__()
        self.setObjectName(f"{module.name}ModuleWidget")
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        self._module = module
        self._python: Any = None
        self._entered = False

    def setup(self) -> None:
        name = self._module.name
        self._python = getattr(sys.modules[name], f"{name}Widget")(self)
        self._python.setup()

    def self(self) -> Any:
        """The Python object, as in PythonQt."""
        return self._python

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def moduleName(self) -> str:
        return self._module.name

    def enter(self) -> None:
        if not self._entered and hasattr(self._python, "enter"):
            self._python.enter()
        self._entered = True

    def exit(self) -> None:
        if self._entered and hasattr(self._python, "exit"):
            self._python.exit()
        self._entered = False

    def reload(self) -> None:
        """Set the panel up anew; as in the application nobody enters it then, even where it is shown."""
        self.setup()

    def discard(self) -> None:
        self.exit()
        self._python.cleanup()
        self._python = None
        self.setParent(None)
        self.deleteLater()


class ModuleManager(QtCore.QObject):
    """Knows the modules, and loads those that are scripts."""

    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.modules = SimpleNamespace()
        self._by_name: dict[str, Any] = {}

    def add_logics(self, scene: Any, application_logic: Any) -> None:
        """Make the logics of the application's own modules, and join them with the scene."""
        for name, class_name in _LOGICS.items():
            logic = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(application_logic)
            logic.SetMRMLScene(scene)
            module = LogicModule(name, logic)
            setattr(self.modules, name, module)
            self._by_name[name] = module
            application_logic.SetModuleLogic(name.capitalize(), logic)

    def load(self, path: Path) -> ScriptedModule:
        """Load `<Name>.py` as the application does: run it, then make `<Name>(parent)`."""
        name = path.stem
        use_properties(name)
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        specification = importlib.util.spec_from_file_location(name, path)
        script: ModuleType = importlib.util.module_from_spec(specification)
        sys.modules[name] = script
        specification.loader.exec_module(script)
        module = ScriptedModule(path)
        module.python = getattr(script, name)(module)
        setattr(self.modules, name.lower(), module)
        setattr(self.modules, f"{name}Instance", module.python)
        self._by_name[name] = module
        self.moduleLoaded.emit(name)
        return module

    def unload(self, name: str) -> None:
        """What the application does with a module when it ends."""
        module = self._by_name.pop(name)
        self.moduleAboutToBeUnloaded.emit(name)
        module.unload()
        for attribute in (name.lower(), f"{name}Instance", f"{name}Widget"):
            if hasattr(self.modules, attribute):
                delattr(self.modules, attribute)

    def disconnect(self, signal: str, receiver: Any) -> bool:
        """As slicer.util calls it when a module is reloaded; here no widget listens to the manager."""
        return False

    def module(self, name: str) -> Any:
        return self._by_name.get(name)

    def loadedModulesNames(self) -> list[str]:
        return sorted(self._by_name)
