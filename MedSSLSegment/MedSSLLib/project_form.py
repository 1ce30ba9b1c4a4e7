"""The form in which a person makes a project, or changes the segments of the open one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol

import slicer
from slicer.i18n import tr as _

from MedSSLLib.problems import Problem
from MedSSLLib.schema_logic import (
    SegmentDraft,
    Template,
    added,
    drafts_of,
    drafts_of_scene,
    known_codes,
    read_templates,
)
from MedSSLLib.schema_view import SchemaView
from MedSSLLib.segmentations import segment_states

if TYPE_CHECKING:
    from medssl.client import Project


class Projects(Protocol):
    """What the form needs; `MedSSLLib.project_logic.ProjectLogic` has it."""

    @property
    def project(self) -> Optional[Project]:
        """The open project."""

    @property
    def engine_is_here(self) -> bool:
        """Whether folders of this computer mean something to the engine."""

    @property
    def default_folder(self) -> Path:
        """Where new projects are proposed to be."""

    def create(
        self,
        name: str,
        folder: Optional[Path],
        segments: Sequence[SegmentDraft],
        mirror_axes: Sequence[str],
        channel_names: Sequence[str],
    ) -> None:
        """Make a project and open it."""

    def change_schema(self, seen: Project, segments: Sequence[SegmentDraft], done: Callable[[], Any]) -> None:
        """Give a project other segments, unless they were changed elsewhere since it was seen."""


class ProjectForm:
    """Fills and reads the widgets of the form in Project.ui; `closed` is called when it is done with."""

    def __init__(self, ui: Any, projects: Projects, closed: Callable[[], Any]) -> None:
        self._ui, self._projects, self._closed = ui, projects, closed
        self._templates: tuple[Template, ...] = ()
        self._choices: list[Template] = []
        self._schema: Optional[SchemaView] = None
        self._own_folder = False
        self._edited: Optional[Project] = None  # as it was shown; None for a new one
        ui.projectNameEdit.textChanged.connect(lambda *_: self._propose_folder())
        ui.projectFolderEdit.currentPathChanged.connect(lambda *_: self._folder_changed())
        ui.templateCombo.currentTextChanged.connect(lambda *_: self._use_template())
        ui.createButton.clicked.connect(lambda *_: self._finish())
        ui.cancelFormButton.clicked.connect(lambda *_: closed())

    def begin_new(self) -> None:
        """Show the form for a new project."""
        self._prepare(None)
        self._choices = [_own_segments(), *self._templates, *_drawn_in_scene()]
        combo = self._ui.templateCombo
        blocked = combo.blockSignals(True)
        combo.clear()
        for each in self._choices:
            combo.addItem(each.title)
        combo.currentIndex = 0
        combo.blockSignals(blocked)
        self._own_folder = False
        for widget in (self._ui.folderLabel, self._ui.projectFolderEdit):
            widget.visible = self._projects.engine_is_here
        self._ui.projectNameEdit.text = ""
        self._ui.channelsEdit.text = "image"
        self._propose_folder()
        self._use_template()

    def begin_segments(self) -> None:
        """Show the form for the segments of the open project."""
        project = self._projects.project
        if project is not None:
            self._prepare(project)
            self._shown.show(drafts_of(project.segments))
            self._ui.templateNoteLabel.text = _(
                "Values never change, since files use them. Segments can be renamed and added."
            )

    @property
    def _shown(self) -> SchemaView:
        """The table, made at first use: the dictionary of codes is read for it."""
        if self._schema is None:
            self._templates = read_templates()
            ui = self._ui
            self._schema = SchemaView(
                ui.schemaTable, ui.addSegmentButton, ui.removeSegmentButton, known_codes(self._templates)
            )
        return self._schema

    def _prepare(self, edited: Optional[Project]) -> None:
        self._edited = edited
        self._shown.show(())
        self._ui.formHeadFrame.visible = edited is None
        self._ui.createButton.text = _("Create project") if edited is None else _("Save segments")
        self._tell("")

    def _propose_folder(self) -> None:
        if not self._own_folder:
            name = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', " ", self._ui.projectNameEdit.text).strip(" .")
            path = str(self._projects.default_folder / name) if name else ""
            blocked = self._ui.projectFolderEdit.blockSignals(True)
            self._ui.projectFolderEdit.currentPath = path
            self._ui.projectFolderEdit.blockSignals(blocked)

    def _folder_changed(self) -> None:
        self._own_folder = bool(self._ui.projectFolderEdit.currentPath)

    def _use_template(self) -> None:
        index = self._ui.templateCombo.currentIndex
        if 0 <= index < len(self._choices):
            self._shown.show(self._choices[index].segments)
            self._ui.templateNoteLabel.text = self._choices[index].description

    def _finish(self) -> None:
        ui = self._ui
        try:
            if self._edited is not None:
                self._projects.change_schema(self._edited, self._shown.segments, self._closed)
                return
            folder = ui.projectFolderEdit.currentPath.strip() if self._projects.engine_is_here else ""
            if not folder and ui.projectNameEdit.text.strip() and self._projects.engine_is_here:
                raise Problem(_("The project has no folder."), _("Choose a new or empty one."))
            mirror_axes = self._choices[ui.templateCombo.currentIndex].mirror_axes
            channels = ui.channelsEdit.text.split(",")
            name = ui.projectNameEdit.text
            path = Path(folder).expanduser() if folder else None
            self._projects.create(name, path, self._shown.segments, mirror_axes, channels)
        except Problem as problem:
            self._tell(str(problem))
            return
        self._closed()

    def _tell(self, text: str) -> None:
        self._ui.formProblemLabel.text = text
        self._ui.formProblemLabel.visible = bool(text)


def _own_segments() -> Template:
    note = _("Give the segments names, colors and, if you like, codes of your own.")
    return Template(_("my own"), note, added(()), ())


def _drawn_in_scene() -> list[Template]:
    """The segmentations of the scene, as templates."""
    found = []
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        states = segment_states(node)
        if states:
            title = _("'{name}' in the scene").format(name=node.GetName())
            note = _("Names, colors and codes as they are in the scene.")
            found.append(Template(title, note, drafts_of_scene(states), ()))
    return found
