"""The part of the section Project in which scans are added."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Protocol

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.problems import Problem
from MedSSLLib.session import Session
from MedSSLLib.signals import Signal

_VOLUMES = ["vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode", "vtkMRMLDiffusionWeightedVolumeNode"]


class Adding(Protocol):
    """What it needs; `MedSSLLib.case_adding.CaseAdding` has it."""

    changed: Signal
    busy: str

    def from_scene(
        self, name: str, volumes: Sequence[vtk.vtkObject], segmentation: Optional[vtk.vtkObject]
    ) -> None:
        """Add volumes of the scene as one case."""

    def from_disk(self, path: Path, copy_files: bool) -> None:
        """Add a file, or every scan of a folder."""


class AddingView:
    """Works on the widgets of Project.ui that are in `addFrame`."""

    def __init__(self, ui: Any, adding: Adding, session: Session) -> None:
        self._ui, self._adding, self._session = ui, adding, session
        self._combos: list[Any] = []
        ui.addFrame.visible = False
        ui.addButton.toggled.connect(lambda *_: self._show())
        ui.addSceneButton.clicked.connect(lambda *_: self._add_scene())
        ui.addDiskButton.clicked.connect(lambda *_: self._add_disk())
        ui.diskEdit.currentPathChanged.connect(lambda *_: self._allow())
        ui.diskFolderButton.clicked.connect(lambda *_: self._choose_folder())
        adding.changed.connect(self._show)
        self._show()

    def project_changed(self) -> None:
        """Offer one volume for each image that belongs to a scan of this project."""
        project = self._session.project
        names = () if project is None else project.channel_names
        if len(names) == len(self._combos):
            return
        form = self._ui.sceneWidget.layout()
        for combo in self._combos:
            form.removeRow(combo)
        self._combos = []
        for row, name in enumerate(names):
            combo = slicer.qMRMLNodeComboBox()
            combo.nodeTypes = _VOLUMES
            combo.noneEnabled = True
            combo.addEnabled = combo.removeEnabled = combo.renameEnabled = False
            combo.objectName = f"channelCombo{row}"
            combo.setMRMLScene(slicer.mrmlScene)
            combo.currentNodeIDChanged.connect(lambda *_: self._allow())
            form.insertRow(row, qt.QLabel(f"{name}:" if len(names) > 1 else _("Volume:")), combo)
            self._combos.append(combo)
        self._allow()

    def _show(self) -> None:
        ui = self._ui
        ui.addFrame.visible = ui.addButton.checked
        ui.addFrame.enabled = not self._adding.busy
        ui.busyLabel.text = self._adding.busy
        ui.busyLabel.visible = bool(self._adding.busy)
        self._allow()

    def _allow(self) -> None:
        self._ui.addSceneButton.enabled = bool(self._combos) and all(c.currentNode() for c in self._combos)
        self._ui.addDiskButton.enabled = bool(self._ui.diskEdit.currentPath.strip())

    def _add_scene(self) -> None:
        volumes = [combo.currentNode() for combo in self._combos]
        segmentation = self._ui.segmentationCombo.currentNode()
        try:
            self._adding.from_scene(self._ui.caseNameEdit.text, volumes, segmentation)
        except Problem as problem:
            self._session.report(problem)
            return
        self._ui.caseNameEdit.text = ""

    def _choose_folder(self) -> None:
        """Choose a folder, which the button of a ctkPathLineEdit does not where files may be chosen too."""
        folder = asking.folder(_("Folder with scans"), self._ui.diskEdit.currentPath)
        if folder:
            self._ui.diskEdit.currentPath = folder

    def _add_disk(self) -> None:
        path = Path(self._ui.diskEdit.currentPath.strip()).expanduser()
        try:
            self._adding.from_disk(path, self._ui.copyBox.checked)
        except Problem as problem:
            self._session.report(problem)
