"""The open project: made, opened, remembered, and described anew when something in it changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import folder_jobs
from MedSSLLib.engine_files import is_away
from MedSSLLib.problems import Problem
from MedSSLLib.schema_changes import SchemaOvertaken, change_schema
from MedSSLLib.schema_logic import SegmentDraft, schema_of
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Client, KnownProject, Project

    from MedSSLLib.jobs_track import Track
    from MedSSLLib.session import Session
    from MedSSLLib.settings import Settings

LAST_PROJECT = "project.folder"
"""The setting with the folder of the project that was opened last."""

_PARENT = "project.parent"  # the setting with the folder around the project that was made last
_ADDS_CASES = ("import", "sample")  # kinds of jobs
_SHOWN_AGAIN_S = 2.0
_DEEPEST = 3  # folders below those that the engine may touch
_MOST_LOOKS = 1000  # into folders of the engine's computer
_NOT_LET_IN = ("roots", "start")  # codes of an engine that could not be let into a folder now


class ProjectLogic:
    """What the section Project does with whole projects.

    Attributes:
        recent: projects that were opened before, the last one first.
        changed: `recent`, `busy` or the open project is another.
        busy: '' or what is done now.
    """

    def __init__(self, session: Session) -> None:
        self.recent: tuple[KnownProject, ...] = ()
        self.changed = Signal()
        self.busy = ""
        self._session = session
        self._shown = 0.0
        session.engine_changed.connect(self._engine_changed)
        session.project_changed.connect(self._project_changed)
        session.cases_changed.connect(self.describe)
        session.jobs.told.connect(self._heard)
        if session.client is not None:  # this module was opened after another one
            self._list_recent()

    @property
    def project(self) -> Optional[Project]:
        """The open project."""
        return self._session.project

    @property
    def engine_is_here(self) -> bool:
        """Whether folders of this computer mean something to the engine."""
        return self._session.client is None or self._session.files.shares_disk

    @property
    def default_folder(self) -> Path:
        """Where new projects are proposed to be."""
        return projects_folder(self._session.settings)

    def enter(self) -> None:
        """The person comes: open the project of last time, also when the engine must be started for it."""
        if self._session.project is None and self._session.settings.value(LAST_PROJECT, "") and not self.busy:
            self._session.engine.when_ready(self._reopen)

    def close(self) -> None:
        """The module goes."""
        self._session.engine_changed.disconnect(self._engine_changed)
        self._session.project_changed.disconnect(self._project_changed)
        self._session.cases_changed.disconnect(self.describe)
        self._session.jobs.told.disconnect(self._heard)

    def create(
        self,
        name: str,
        folder: Optional[Path],
        segments: Sequence[SegmentDraft],
        mirror_axes: Sequence[str],
        channel_names: Sequence[str],
    ) -> None:
        """Make a project and open it.

        Args:
            name: for people.
            folder: a new or empty one; None lets the engine choose.
            segments: what is segmented.
            mirror_axes: along which the anatomy may be mirrored and stay the same.
            channel_names: one for each image of a scan.

        Raises:
            Problem: a name or the segments cannot be used.
        """
        if not name.strip():
            raise Problem(_("The project has no name."), _("Give it one, such as 'Kidneys'."))
        schema = schema_of(segments, mirror_axes)
        channels = [each.strip() for each in channel_names if each.strip()] or ["image"]
        self._open(
            "" if folder is None else str(folder),
            lambda client: client.create_project(name.strip(), schema, channels, folder),
            _("Making the project..."),
            parent="" if folder is None else str(folder.parent),
        )

    def open(self, folder: str) -> None:
        """Open the project in a folder of the engine's computer; the engine is started if need be."""
        self._open(folder, lambda client: client.open_project(folder), _("Opening the project..."))

    def look_there(self, done: Callable[[tuple[str, ...]], Any]) -> None:
        """Find the projects in the folders that an engine on another computer may touch."""
        self._session.ask(_projects_there, done)

    def leave(self) -> None:
        """Close the project; nothing is deleted."""
        self._session.settings.forget(LAST_PROJECT)
        self._session.set_project(None)

    def change_schema(self, seen: Project, segments: Sequence[SegmentDraft], done: Callable[[], Any]) -> None:
        """Give a project other segments, unless they were changed elsewhere since it was seen: that is told.

        Raises:
            Problem: the segments cannot be used.
        """
        schema = schema_of(segments, seen.mirror_axes)

        def take(project: Project) -> None:
            if self._session.is_open(project.key):
                self._session.set_project(project)

        def changed(answer: Project) -> None:
            take(answer)
            done()

        def failed(error: Exception) -> None:
            if isinstance(error, SchemaOvertaken):
                take(error.project)
            self._session.report(error)

        self._session.ask(lambda client: change_schema(client, seen, schema), changed, failed)

    def describe(self) -> None:
        """Ask the engine for the numbers of cases anew."""
        project = self._session.project
        if project is None or self._session.client is None:
            return

        def described(answer: Project) -> None:
            now = self._session.project
            if now is not None and now.key == answer.key and now != answer:
                self._session.set_project(answer)

        self._session.ask(lambda client: client.project(project.key), described)

    def _heard(self, track: Track) -> None:
        """Show the scans that a job adds while it adds them, now and then."""
        if track.job.kind in _ADDS_CASES and time.monotonic() - self._shown > _SHOWN_AGAIN_S:
            self._shown = time.monotonic()
            self._session.cases_changed.emit()

    def _open(
        self,
        folder: str,
        work: Callable[[Client], Project],
        doing: str,
        parent: str = "",
    ) -> None:
        def opened(project: Project) -> None:
            self.busy = ""
            if parent:
                self._session.settings.remember(_PARENT, parent)
            self._session.settings.remember(LAST_PROJECT, project.folder)
            self._session.set_project(project)

        def failed(error: Exception) -> None:
            self.busy = ""
            self.changed.emit()
            self._session.report(error)

        def ask() -> None:
            self.busy = doing
            self.changed.emit()
            folder_jobs.attempt(
                self._session,
                [folder] if folder else [],
                lambda refused: self._session.ask(work, opened, refused),
                failed,
            )

        self._session.engine.when_ready(ask)

    def _reopen(self) -> None:
        folder = self._session.settings.value(LAST_PROJECT, "")
        if not folder or self._session.project is not None:
            return

        def opened(project: Project) -> None:
            if self._session.project is None:
                self._session.set_project(project)

        def failed(error: Exception) -> None:
            if not is_away(error) and getattr(error, "code", "") not in _NOT_LET_IN:
                self._session.settings.forget(LAST_PROJECT)
            self._session.report(error)

        folder_jobs.attempt(
            self._session,
            [folder],
            lambda refused: self._session.ask(lambda client: client.open_project(folder), opened, refused),
            failed,
        )

    def _project_changed(self) -> None:
        project = self._session.project
        if project is not None and project.key not in [each.key for each in self.recent]:
            self._list_recent()
        self.changed.emit()

    def _engine_changed(self) -> None:
        if self._session.client is None:
            return
        self._list_recent()
        if self._session.project is None:
            self._reopen()

    def _list_recent(self) -> None:
        def listed(answer: tuple[KnownProject, ...]) -> None:
            self.recent = tuple(each for each in answer if not each.problem)
            self.changed.emit()

        self._session.ask(lambda client: client.projects(), listed)


def projects_folder(settings: Settings) -> Path:
    """Where new projects are proposed to be."""
    return Path(settings.value(_PARENT, str(Path.home() / "MedSSL")))


def _projects_there(client: Client) -> tuple[str, ...]:
    """The folders of projects, not looking deeper than a person would store them, nor for long."""
    found: list[str] = []
    waiting: list[tuple[Optional[str], int]] = [(None, 0)]
    for _look in range(_MOST_LOOKS):
        if not waiting:
            break
        folder, depth = waiting.pop(0)
        for entry in client.folder(folder).entries:
            if entry.is_project:
                found.append(entry.path)
            elif entry.is_folder and depth < _DEEPEST:
                waiting.append((entry.path, depth + 1))
    return tuple(sorted(found))
