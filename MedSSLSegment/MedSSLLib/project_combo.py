"""The list of projects that were opened before, in which the open one is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Protocol

import qt
from slicer.i18n import tr as _

from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import KnownProject, Project


class Projects(Protocol):
    """What the list needs; `MedSSLLib.project_logic.ProjectLogic` has it."""

    changed: Signal
    recent: tuple[KnownProject, ...]
    busy: str

    @property
    def project(self) -> Optional[Project]:
        """The open project."""

    def open(self, folder: str) -> None:
        """Open the project in a folder."""

    def leave(self) -> None:
        """Close the project."""


class ProjectCombo:
    """Works on a QComboBox; a choice opens or closes a project at once."""

    def __init__(self, combo: Any, projects: Projects) -> None:
        self._combo, self._projects = combo, projects
        combo.textActivated.connect(lambda *_: self._choose())
        projects.changed.connect(self._show)
        self._show()

    def _choose(self) -> None:
        index = self._combo.currentIndex - 1
        if index < 0:
            self._projects.leave()
        elif index < len(self._projects.recent):
            self._projects.open(self._projects.recent[index].folder)

    def _show(self) -> None:
        combo, project = self._combo, self._projects.project
        blocked = combo.blockSignals(True)
        combo.clear()
        combo.addItem(self._projects.busy or _("no project"))
        for index, each in enumerate(self._projects.recent, start=1):
            combo.addItem(each.name)
            combo.setItemData(index, each.folder, qt.Qt.ToolTipRole)
            if project is not None and each.key == project.key:
                combo.currentIndex = index
        combo.blockSignals(blocked)
