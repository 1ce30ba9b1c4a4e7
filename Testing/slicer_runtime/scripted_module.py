"""Stands in for slicer.ScriptedLoadableModule: the base classes of a scripted module."""

from __future__ import annotations

import importlib
import logging
import unittest
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    """What the application knows of a module before it is opened."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = []
        parent.helpText = ""
        parent.acknowledgementText = ""
        icon = Path(parent.path).parent / "Resources" / "Icons" / f"{self.moduleName}.png"
        if icon.is_file():
            parent.icon = QtGui.QIcon(str(icon))

    def resourcePath(self, filename: str) -> str:
        """A file in the folder Resources beside the module."""
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        """A sentence with a link to the module's documentation."""
        return f"<p>For more information see the {docPage or self.moduleName} documentation.</p>"

    def runTest(self, msec: int = 100, **_kwargs: Any) -> None:
        """Run the test of the module."""
        script = importlib.import_module(self.moduleName)
        getattr(script, f"{self.moduleName}Test")().runTest()


class ScriptedLoadableModuleWidget:
    """The Python part of a module's panel."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        if parent is None:
            parent = QtWidgets.QWidget()
            QtWidgets.QVBoxLayout(parent)
        self.parent = parent
        self.layout = parent.layout()
        self.developerMode = False
        setattr(slicer.modules, f"{self.moduleName}Widget", self)

    def resourcePath(self, filename: str) -> str:
        """A file in the folder Resources beside the module."""
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Build the panel; here only what each module begins with."""
        self.setupDeveloperSection()

    def setupDeveloperSection(self) -> None:
        """The section for reloading, which is shown in developer mode only."""

    def cleanup(self) -> None:
        """The application ends, or the module is reloaded."""

    def onReload(self) -> None:
        """Reload the module as the button of the developer section does."""
        logging.debug("Reloading %s", self.moduleName)
        slicer.util.reloadScriptedModule(self.moduleName)

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()


class ScriptedLoadableModuleLogic:
    """The part of a module without a panel."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        """The module's parameter node, made when there is none."""
        nodes = self.getAllParameterNodes()
        return nodes[0] if nodes else self.createParameterNode()

    def getAllParameterNodes(self) -> list[Any]:
        """Every parameter node of the module."""
        found = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in found if node.GetModuleName() == self.moduleName]

    def createParameterNode(self) -> Any:
        """Add a parameter node to the scene."""
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetSingletonTag(self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return slicer.mrmlScene.AddNode(node)


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The tests that a module brings along."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*(args or ("runTest",)), **kwargs)

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        """Say what is being tested."""
        logging.info(message)
        slicer.app.processEvents()

    def runTest(self) -> None:
        """To be overridden by the module's test."""
