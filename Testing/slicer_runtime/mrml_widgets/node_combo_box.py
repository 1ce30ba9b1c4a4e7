"""Stands in for qMRMLNodeComboBox: the nodes of some classes, of which one is current."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from slicer_runtime.mrml_widgets.scene_events import SceneEvents


class NodeComboBox(QtWidgets.QWidget):
    """A combo box that follows the scene, with the entries None, Create, Rename and Delete where enabled."""

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)
    currentNodeRenamed = QtCore.Signal(str)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)
    nodeActivated = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._events = SceneEvents(self)
        self._types: list[str] = ["vtkMRMLNode"]
        self._hidden_types: list[str] = []
        self._attributes: list[tuple[str, str, str | None]] = []
        self._none_display = "None"
        self._base_name = ""
        self._flags = {
            "none": False, "add": True, "remove": True, "edit": False, "rename": False,
            "hidden": False, "children": True, "select": True,
        }  # fmt: skip
        self._current = ""
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setMinimumContentsLength(6)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo)
        self._combo.currentIndexChanged.connect(self._on_chosen)
        self._combo.activated.connect(self._on_activated)

    # what is listed

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self._events.follow(scene)
        self._fill()

    def _matches(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self._flags["hidden"]:
            return False
        kinds = [kind for kind in self._types if node.IsA(kind)]
        if not kinds or any(node.IsA(kind) for kind in self._hidden_types):
            return False
        if not self._flags["children"] and node.GetClassName() not in self._types:
            return False
        for kind, name, value in self._attributes:
            if node.IsA(kind) and (
                node.GetAttribute(name) is None or value not in (None, node.GetAttribute(name))
            ):
                return False
        return True

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        count = self._scene.GetNumberOfNodes()
        return [node for node in map(self._scene.GetNthNode, range(count)) if self._matches(node)]

    def _fill(self) -> None:
        nodes = self._nodes()
        wanted = self._current
        self._combo.blockSignals(True)
        self._combo.clear()
        if self._flags["none"]:
            self._combo.addItem(self._none_display, "")
        for node in nodes:
            self._combo.addItem(node.GetName() or "", node.GetID())
        if not nodes and not self._flags["none"]:
            self._combo.setPlaceholderText(f"Select a {self._types[0].removeprefix('vtkMRML')}")
        self._combo.setCurrentIndex(self._combo.findData(wanted))
        self._combo.blockSignals(False)
        if self._combo.currentIndex() < 0 and not self._flags["none"] and nodes:
            self._combo.setCurrentIndex(0)
        self._on_chosen()

    def _on_refill(self) -> None:
        self._fill()

    def _on_added(self, node: Any) -> None:
        if self._matches(node):
            self._fill()
            self.nodeAdded.emit(node)

    def _on_removed(self, node: Any) -> None:
        if self._combo.findData(node.GetID()) >= 0:
            self.nodeAboutToBeRemoved.emit(node)
            if self._current == node.GetID():
                self._current = ""
            self._combo.blockSignals(True)
            self._combo.removeItem(self._combo.findData(node.GetID()))
            self._combo.blockSignals(False)
            self._on_chosen()

    # the current node

    def _on_chosen(self, _index: int = -1) -> None:
        chosen = self._combo.currentData() or ""
        if chosen != self._current:
            self._current = chosen
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(chosen)

    def _on_activated(self, _index: int) -> None:
        self.nodeActivated.emit(self.currentNode())

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID("" if node is None else node if isinstance(node, str) else node.GetID())

    def _get_current(self) -> str:
        return self._current

    def setCurrentNodeID(self, node_id: str) -> None:
        self._combo.setCurrentIndex(self._combo.findData(node_id or ""))

    currentNodeID = QtCore.Property(str, _get_current, setCurrentNodeID)
    currentNodeId = QtCore.Property(str, _get_current, setCurrentNodeID)

    def setCurrentNodeIndex(self, index: int) -> None:
        nodes = self._nodes()
        self.setCurrentNode(nodes[index] if 0 <= index < len(nodes) else None)

    def nodeCount(self) -> int:
        return len(self._nodes())

    def nodeFromIndex(self, index: int) -> Any:
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def addNode(self, node_class: str = "") -> Any:
        """Create a node, as the entry 'Create new' does."""
        kind = node_class or self._types[0]
        name = self._scene.GenerateUniqueName(
            self._base_name or kind.removeprefix("vtkMRML").removesuffix("Node")
        )
        node = self._scene.AddNewNodeByClass(kind, name)
        for of_kind, attribute, value in self._attributes:
            if node.IsA(of_kind):
                node.SetAttribute(attribute, value or "")
        if self._flags["select"]:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """List nodes of a class only if they have an attribute, with this value if one is given."""
        self._attributes.append((node_type, name, value))
        self._fill()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes = [known for known in self._attributes if known[:2] != (node_type, name)]
        self._fill()

    def addMenuAction(self, _action: QtGui.QAction) -> None:
        """The entries for the user are not shown here."""

    # properties

    def _get_types(self) -> list[str]:
        return self._types

    def _set_types(self, types: list[str]) -> None:
        self._types = list(types)
        self._fill()

    nodeTypes = QtCore.Property("QStringList", _get_types, _set_types)

    def _get_hidden_types(self) -> list[str]:
        return self._hidden_types

    def _set_hidden_types(self, types: list[str]) -> None:
        self._hidden_types = list(types)
        self._fill()

    hideChildNodeTypes = QtCore.Property("QStringList", _get_hidden_types, _set_hidden_types)

    def _get_none_display(self) -> str:
        return self._none_display

    def _set_none_display(self, text: str) -> None:
        self._none_display = text
        self._fill()

    noneDisplay = QtCore.Property(str, _get_none_display, _set_none_display)

    def _get_base_name(self) -> str:
        return self._base_name

    def _set_base_name(self, name: str) -> None:
        self._base_name = name

    baseName = QtCore.Property(str, _get_base_name, _set_base_name)

    def _flag(flag: str) -> QtCore.Property:
        def get(self: NodeComboBox) -> bool:
            return self._flags[flag]

        def put(self: NodeComboBox, value: bool) -> None:
            self._flags[flag] = value
            self._fill()

        return QtCore.Property(bool, get, put)

    noneEnabled = _flag("none")
    addEnabled = _flag("add")
    removeEnabled = _flag("remove")
    editEnabled = _flag("edit")
    renameEnabled = _flag("rename")
    showHidden = _flag("hidden")
    showChildNodeTypes = _flag("children")
    selectNodeUponCreation = _flag("select")
    del _flag
