"""Stands in for qSlicerCoreIOManager: files in and out of the scene, by the application's real logics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore

_SEGMENTATIONS = (".seg.nrrd", ".seg.nhdr", ".seg.vtm", ".seg.nii", ".seg.nii.gz")
_TYPES = {
    ".nrrd": "VolumeFile",
    ".nhdr": "VolumeFile",
    ".nii": "VolumeFile",
    ".gz": "VolumeFile",
    ".mha": "VolumeFile",
    ".mhd": "VolumeFile",
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".ctbl": "ColorTableFile",
    ".mrml": "SceneFile",
    ".mrb": "SceneFile",
}


class IOManager(QtCore.QObject):
    """Loads and saves the kinds of file that the modules use."""

    newFileLoaded = QtCore.Signal(object)
    fileSaved = QtCore.Signal(object)

    def __init__(self, scene: Any, modules: Any) -> None:
        super().__init__()
        self._scene = scene
        self._modules = modules

    def fileType(self, name: str) -> str:
        """The kind of file that the readers would take this for."""
        lower = str(name).lower()
        if lower.endswith(_SEGMENTATIONS):
            return "SegmentationFile"
        return _TYPES.get(Path(lower).suffix, "NoFile")

    def fileWriterFileType(self, node: Any) -> str:
        """The kind of file that a node is written to."""
        return node.GetNodeTagName() + "File"

    def loadNodes(self, kind: str, properties: dict[str, Any], loaded: Any, messages: Any = None) -> bool:
        """Read one file; the nodes that come of it are put into `loaded`, a vtkCollection."""
        readers = {
            "VolumeFile": self._load_volume,
            "SegmentationFile": self._load_segmentation,
            "TransformFile": self._load_transform,
            "TableFile": self._load_table,
            "SceneFile": self._load_scene,
        }
        if kind not in readers:
            raise NotImplementedError(f"The stand-in reads no file of the type '{kind}'.")
        node = readers[kind](properties)
        if node is None or node is False:
            if messages is not None:
                messages.AddMessage(slicer.vtkMRMLMessageCollection.ERROR_MESSAGE if False else 0, "")
            return False
        if node is not True and loaded is not None:
            loaded.AddItem(node)
        return True

    def saveNodes(self, _kind: str, properties: dict[str, Any], _messages: Any = None) -> bool:
        """Write one node with its storage node, or the whole scene."""
        if "nodeID" not in properties:
            self._scene.SetURL(properties["fileName"])
            return bool(self._scene.Commit())
        node = self._scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(properties["fileName"])
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        return bool(storage.WriteData(node))

    def _load_volume(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        name = properties.get("name") or Path(path).name.split(".")[0]
        options = (
            (1 if properties.get("labelmap") else 0)
            | (2 if properties.get("center") else 0)
            | (4 if properties.get("singleFile") else 0)
        )
        volume = self._modules.volumes.logic().AddArchetypeVolume(path, name, options)
        if volume is not None and properties.get("show", True):
            selection = self._modules.applicationLogic().GetSelectionNode()
            selection.SetActiveVolumeID(volume.GetID())
            self._modules.applicationLogic().PropagateVolumeSelection(0)
        return volume

    def _load_segmentation(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        logic = self._modules.segmentations.logic()
        node = logic.LoadSegmentationFromFile(path, properties.get("autoOpacities", True))
        if node is not None and properties.get("name"):
            node.SetName(properties["name"])
        return node

    def _load_transform(self, properties: dict[str, Any]) -> Any:
        return self._modules.transforms.logic().AddTransform(properties["fileName"], self._scene)

    def _load_table(self, properties: dict[str, Any]) -> Any:
        return self._modules.tables.logic().AddTable(properties["fileName"])

    def _load_scene(self, properties: dict[str, Any]) -> bool:
        self._scene.SetURL(properties["fileName"])
        return bool(self._scene.Connect() if properties.get("clear") else self._scene.Import())
