"""The section Project: which one is open, its segments, and its table of cases."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.adding_view import AddingView
from MedSSLLib.case_actions import CaseActions
from MedSSLLib.case_adding import CaseAdding
from MedSSLLib.case_pages import CasePages
from MedSSLLib.case_table import CaseTable, role_words, state_words
from MedSSLLib.plurals import plural
from MedSSLLib.project_combo import ProjectCombo
from MedSSLLib.project_export import FORMATS, ProjectExport, folder_name
from MedSSLLib.project_form import ProjectForm
from MedSSLLib.project_logic import ProjectLogic
from MedSSLLib.sections import load_ui
from MedSSLLib.session import Session
from MedSSLLib.versions_view import VersionsView

_STATES = ("new", "proposed", "annotated", "rejected")
_ROLES = ("training", "validation", "excluded")
_NONE, _OPENING, _FORM = "", "opening", "form"


class ProjectView:
    """Puts the parts of the section together; each has a logic of its own."""

    def __init__(self, session: Session) -> None:
        """Show the project of a session."""
        self._session = session
        self._samples = session.samples
        self.logic = ProjectLogic(session)
        self.pages = CasePages(session)
        self.actions = CaseActions(session)
        self.adding = CaseAdding(session)
        self.export = ProjectExport(session)
        self.widget, self.ui = load_ui("Project")
        self._mode = _NONE
        self._versions: Optional[VersionsView] = None
        ui = self.ui
        self._form = ProjectForm(ui, self.logic, lambda: self._go(_NONE))
        self._add = AddingView(ui, self.adding, session)
        self.table = CaseTable(ui.casesTable, self.pages)
        self._fill_combos()
        ui.newButton.clicked.connect(lambda *_: self._begin_new())
        ui.openButton.clicked.connect(lambda *_: self._begin_open())
        ui.openFolderButton.clicked.connect(lambda *_: self._open())
        ui.cancelOpenButton.clicked.connect(lambda *_: self._go(_NONE))
        ui.trySampleButton.clicked.connect(lambda *_: self._samples.make_up())
        ui.downloadButton.clicked.connect(lambda *_: self._samples.download_hippocampus())
        ui.removeSamplesButton.clicked.connect(lambda *_: self._samples.remove_downloads())
        ui.segmentsButton.clicked.connect(lambda *_: self._begin_segments())
        ui.exportButton.clicked.connect(lambda *_: self._export())
        self._recent = ProjectCombo(ui.recentCombo, self.logic)
        ui.searchBox.textChanged.connect(lambda *_: self.pages.narrow(text=ui.searchBox.text.strip()))
        ui.stateCombo.textActivated.connect(lambda *_: self._narrow())
        ui.roleFilterCombo.textActivated.connect(lambda *_: self._narrow())
        ui.workButton.clicked.connect(lambda *_: self.actions.work_on(self.table.cases[0]))
        ui.roleCombo.textActivated.connect(lambda *_: self._set_role())
        ui.versionsButton.clicked.connect(lambda *_: self._list_versions())
        self.table.chosen.connect(self._allow)
        self.table.asked.connect(self.actions.work_on)
        self.actions.changed.connect(self._allow)
        self.logic.changed.connect(self._show)
        self.pages.left.connect(self._close_versions)
        self.pages.reset.connect(self._show_cases)
        session.engine_changed.connect(self._show)
        session.samples.changed.connect(self._show)
        session.jobs.listed.connect(self._show_cases)
        self._show()

    def enter(self) -> None:
        """The person comes to the module."""
        self.logic.enter()

    def exit(self) -> None:
        """The person goes to another module."""

    def close(self) -> None:
        """The module goes."""
        self._session.engine_changed.disconnect(self._show)
        self._samples.changed.disconnect(self._show)
        self._session.jobs.listed.disconnect(self._show_cases)
        self.pages.close()
        self.logic.close()
        self._close_versions()

    def _fill_combos(self) -> None:
        ui = self.ui
        ui.stateCombo.addItem(_("every state"))
        for state in _STATES:
            ui.stateCombo.addItem(state_words(state))
        ui.roleFilterCombo.addItem(_("every use"))
        for role in _ROLES:
            ui.roleFilterCombo.addItem(role_words(role))
            ui.roleCombo.addItem(role_words(role))

    def _begin_new(self) -> None:
        self._form.begin_new()
        self._go(_FORM)

    def _begin_segments(self) -> None:
        self._form.begin_segments()
        self._go(_FORM)

    def _export(self) -> None:
        project, title = self.logic.project, _("Export the data set")
        if project is None:
            return
        question = _("Write the scans and their annotations in whose layout?")
        file_format = asking.pick(title, question, FORMATS, while_testing="nnunet")
        folder = asking.new_file(title, folder_name(project.name, file_format)) if file_format else ""
        if folder:
            self.export.start(folder, file_format)

    def _go(self, mode: str) -> None:
        self._mode = mode
        self._show()

    def _begin_open(self) -> None:
        self._go(_OPENING)
        if not self.logic.engine_is_here:
            self.logic.look_there(self._offer_there)

    def _offer_there(self, folders: tuple[str, ...]) -> None:
        combo = self.ui.openThereCombo
        combo.clear()
        for folder in folders:
            combo.addItem(folder)

    def _open(self) -> None:
        ui, here = self.ui, self.logic.engine_is_here
        folder = ui.openFolderEdit.currentPath.strip() if here else ui.openThereCombo.currentText.strip()
        if folder:
            self._go(_NONE)
            self.logic.open(str(Path(folder).expanduser()) if here else folder)

    def _show(self) -> None:
        ui, project = self.ui, self.logic.project
        busy = self.logic.busy or self._samples.busy
        ui.emptyFrame.visible = project is None and self._mode == _NONE and not self.logic.busy
        ui.sampleLabel.text = self._samples.busy
        ui.sampleLabel.visible = bool(self._samples.busy)
        ui.removeSamplesButton.visible = self._samples.is_downloaded
        ui.openFrame.visible = self._mode == _OPENING
        here = self.logic.engine_is_here
        ui.openFolderLabel.visible = ui.openFolderEdit.visible = here
        ui.openThereLabel.visible = ui.openThereCombo.visible = not here
        ui.formFrame.visible = self._mode == _FORM
        ui.projectFrame.visible = project is not None and self._mode == _NONE
        for button in (ui.newButton, ui.openButton, ui.trySampleButton, ui.downloadButton):
            button.enabled = not busy
        ui.removeSamplesButton.enabled = not busy
        self._add.project_changed()
        self._show_cases()
        self._allow()

    def _show_cases(self) -> None:
        ui, project, found = self.ui, self.logic.project, self.pages.filter
        if project is None:
            return
        numbers = plural(
            project.cases,
            _("1 scan, {annotated} annotated, {proposed} to review"),
            _("{cases} scans, {annotated} annotated, {proposed} to review"),
        ).format(cases=project.cases, annotated=project.annotated, proposed=project.proposed)
        ui.summaryLabel.text = f"<b>{html.escape(project.name)}</b>: {numbers}"
        narrowed = bool(found.text or found.state or found.role)
        empty = not self.pages.total
        ui.casesTable.visible = not empty
        ui.noCasesLabel.visible = empty
        ui.noCasesLabel.text = (
            _("No scan fits. Clear the search, or choose 'every state' and 'every use'.")
            if narrowed
            else _("The scans are on their way...")
            if self._arriving
            else _("There are no scans yet. Press 'Add scans' to take some from the scene or from disk.")
        )
        if empty and not narrowed and not project.cases and not self._arriving and not ui.addButton.checked:
            ui.addButton.checked = True

    @property
    def _arriving(self) -> bool:
        """Whether a job brings scans: no time to ask for others."""
        kinds = [track.job.kind for track in self._session.jobs.active]
        return bool(self._samples.busy) or "sample" in kinds or "import" in kinds

    def _narrow(self) -> None:
        state, role = self.ui.stateCombo.currentIndex, self.ui.roleFilterCombo.currentIndex
        self.pages.narrow(
            state=_STATES[state - 1] if state > 0 else "", role=_ROLES[role - 1] if role > 0 else ""
        )

    def _allow(self) -> None:
        ui, cases = self.ui, self.table.cases
        ui.workButton.enabled = len(cases) == 1
        ui.versionsButton.enabled = len(cases) == 1 and cases[0].annotation_version is not None
        ui.roleCombo.enabled = bool(cases) and not self.actions.busy
        if cases:
            ui.roleCombo.currentIndex = _ROLES.index(cases[0].role)

    def _set_role(self) -> None:
        self.actions.set_role(self.table.cases, _ROLES[self.ui.roleCombo.currentIndex])

    def _list_versions(self) -> None:
        project, case = self.logic.project, self.table.cases[0]
        if project is None:
            return

        def show(versions: Any) -> None:
            self._close_versions()
            self._versions = VersionsView(
                case.name, versions, lambda version: self.actions.restore(project.key, case, version)
            )
            self._versions.show()

        self.actions.versions(project.key, case, show)

    def _close_versions(self) -> None:
        if self._versions is not None:
            self._versions.close()
            self._versions = None
