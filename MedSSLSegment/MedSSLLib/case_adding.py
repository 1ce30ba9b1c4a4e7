"""Scans on their way into the project: from the scene, from a file, or from a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Optional, TypeVar

import vtk
from slicer.i18n import tr as _

from MedSSLLib import backend, folder_jobs
from MedSSLLib.engine_files import EngineFiles
from MedSSLLib.folder_scans import FolderScan, find_scans
from MedSSLLib.plurals import plural
from MedSSLLib.problems import Problem
from MedSSLLib.scene_labels import find_values, may_be_empty
from MedSSLLib.segmentations import SegmentationSnapshot, is_empty, labels_of, snapshot_segmentation
from MedSSLLib.signals import Signal
from MedSSLLib.volumes import VolumeSnapshot, holds, snapshot_volume, write_snapshot
from MedSSLLib.voxel_files import READABLE, stem_of, suffix_of, write_nrrd

if TYPE_CHECKING:
    from medssl.client import Case, Client, Job, Project

    from MedSSLLib.jobs_track import Track
    from MedSSLLib.session import Session

T = TypeVar("T")

_ONE_BAD_FILE = ("image", "grid", "usage", "too_large", "project")  # its codes for what stops no other
_MOST_NOTES = 3  # on scans of a folder, shown at once
_PATH_REFUSED = "path"  # the engine's code for a file that it may not touch


class CaseAdding:
    """What 'Add scans' does.

    Attributes:
        changed: `busy` is another.
        busy: '' or what is done now.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.busy = ""
        self._session = session
        self._imports: set[str] = set()  # the jobs that bring in folders
        session.jobs.ended.connect(self._imported)

    def from_scene(
        self, name: str, volumes: Sequence[vtk.vtkObject], segmentation: Optional[vtk.vtkObject]
    ) -> None:
        """Add volumes of the scene as one case, with what is drawn on them as its annotation.

        Args:
            name: of the case; the first volume's name when empty.
            volumes: one a channel of the project.
            segmentation: None for a case without annotation.

        Raises:
            Problem: something in the scene cannot be a case.
        """
        project = self._session.project
        if project is None:
            return
        taken = [snapshot_volume(node) for node in volumes]
        for other in taken[1:]:
            if not other.grid.is_same_as(taken[0].grid):
                raise Problem(
                    _("'{one}' and '{other}' do not have the same voxels.").format(
                        one=taken[0].name, other=other.name
                    ),
                    _("Resample one onto the other first, in the module Resample Scalar/Vector/DWI Volume."),
                )
        name = name.strip() or taken[0].name
        if segmentation is None:
            self._add(project, name, taken, None, {})
            return
        drawn = snapshot_segmentation(segmentation, volumes[0])

        def add(values: Mapping[str, int], _project: Project) -> None:
            def go_on(empty: bool) -> None:
                if empty and not may_be_empty(name):
                    remedy = _("To add the scan alone, choose no segmentation.")
                    text = _("'{name}' was not added: nothing is drawn on it.").format(name=name)
                    self._end(text, remedy, "warning")
                else:
                    self._add(project, name, taken, drawn, values)

            self._session.background.run(lambda: is_empty(drawn, values), go_on, self._failed)

        self._begin(_("Adding '{name}'...").format(name=name))
        find_values(self._session, project, drawn, add, self._stop)

    def from_disk(self, path: Path, copy_files: bool) -> None:
        """Add a file as a case, or every scan of a folder, DICOM series included.

        Raises:
            Problem: it is no scan.
        """
        project = self._session.project
        if project is None:
            return
        if path.is_dir() and self._session.files.shares_disk:
            self._import(project, path, copy_files)
        elif path.is_dir():
            self._send_folder(project, path)
        elif suffix_of(path):
            files = self._session.files
            self._run(
                _("Adding {name}...").format(name=path.name),
                lambda client: _add_files(client, files, project, stem_of(path), [path], copy_files),
                _added,
            )
        else:
            raise Problem(
                _("{path} is not a file of a scan that MedSSL reads.").format(path=path),
                _("Choose a file that ends in {endings}, or a folder with DICOM files.").format(
                    endings=", ".join(READABLE[2:])
                ),
            )

    def _add(
        self,
        project: Project,
        name: str,
        volumes: Sequence[VolumeSnapshot],
        drawn: Optional[SegmentationSnapshot],
        values: Mapping[str, int],
    ) -> None:
        files = self._session.files

        def work(client: Client) -> Case:
            case = _add_volumes(client, files, project, name, volumes)
            if drawn is not None:
                grid = volumes[0].grid
                with files.handed_over(
                    client,
                    project,
                    "labels.nrrd",
                    lambda path: write_nrrd(path, labels_of(drawn, values), grid),
                ) as path:
                    saved = client.save_annotation(project.key, case.id, path)
                case = replace(case, notes=(*case.notes, *saved.notes))
            return case

        self._run(_("Adding '{name}'...").format(name=name), work, _added)

    def _import(self, project: Project, folder: Path, copy_files: bool) -> None:
        request = {"kind": "import", "folder": str(folder), "copy_files": copy_files}

        def begun(job: Job) -> None:
            self._imports.add(job.id)
            self._end(_("Scans of {folder} are being added.").format(folder=folder))
            self._session.jobs.refresh()

        self._begin(_("Looking for scans in {folder}...").format(folder=folder))
        folder_jobs.attempt(
            self._session,
            [str(folder)],
            lambda refused: self._session.ask(
                lambda client: client.submit(project.key, request), begun, refused
            ),
            self._failed,
        )

    def _imported(self, track: Track) -> None:
        """Tell what came of a folder, with what the engine had to say against some of its scans or labels."""
        if track.job.id not in self._imports:
            return
        self._imports.discard(track.job.id)
        if track.state == "finished":
            added = int((track.job.result or {}).get("cases", 0))
            text = plural(added, _("1 scan was added."), _("{count} scans were added.")).format(count=added)
            self._session.say_with_notes(
                text, _first([note for note, level in track.notes if level == "warning"])
            )

    def _send_folder(self, project: Project, folder: Path) -> None:
        """Send the scans of a folder to an engine elsewhere, one after the other."""
        files = self._session.files

        def work(client: Client) -> tuple[str, Sequence[str]]:
            found, notes = find_scans(folder), list[str]()
            told = [_add_scan(client, files, project, scan, notes) for scan in found]
            left = [reason for reason in told if reason]
            if not left:
                text = plural(len(found), _("1 scan was added."), _("{count} scans were added."))
                return text.format(count=len(found)), _first(notes)
            text = plural(
                len(found),
                _("The scan was not added. {reason}"),
                _("{added} of {count} scans were added. {reason}"),
            )
            text = text.format(added=len(found) - len(left), count=len(found), reason=left[0])
            return text, _first(notes)

        self._run(_("Sending the scans of {folder}...").format(folder=folder), work, lambda told: told)

    def _run(
        self,
        doing: str,
        work: Callable[[Client], T],
        told: Callable[[T], tuple[str, Sequence[str]]],
    ) -> None:
        """Do something beside the main thread; `told` gives the sentence about its end, and notes on it."""
        self._begin(doing)

        def done(answer: T) -> None:
            self._stop()
            self._session.say_with_notes(*told(answer))
            self._session.cases_changed.emit()

        self._session.ask(work, done, self._failed)

    def _begin(self, doing: str) -> None:
        self.busy = doing
        self.changed.emit()

    def _stop(self) -> None:
        self.busy = ""
        self.changed.emit()

    def _end(self, text: str, remedy: str = "", grade: str = "info") -> None:
        self._stop()
        self._session.say(text, remedy, grade)

    def _failed(self, error: Exception) -> None:
        self._stop()
        self._session.report(error)
        self._session.cases_changed.emit()


def _added(case: Case) -> tuple[str, Sequence[str]]:
    """Say that a case was added, with the engine's notes on how its files were read."""
    return _("'{name}' was added.").format(name=case.name), case.notes


def _first(notes: Sequence[str]) -> tuple[str, ...]:
    """As many notes as fit into the panel's line, and how many there are besides."""
    more = len(notes) - _MOST_NOTES
    return (*notes[:_MOST_NOTES], *([_("... and {count} more").format(count=more)] if more > 0 else []))


def _add_scan(
    client: Client, files: EngineFiles, project: Project, scan: FolderScan, notes: list[str]
) -> str:
    """Send a scan and add it; returns why that cannot be, '' when it was added, and adds the notes on it."""
    refused = backend.client_package().EngineError
    try:
        with files.uploaded_scan(client, scan) as path:
            case = client.add_case(project.key, scan.name, [path], copy_files=True, must_be_scan=True)
        notes += [note.replace(path, scan.name) for note in case.notes]
    except (Problem, refused) as error:
        if isinstance(error, refused) and error.code not in _ONE_BAD_FILE:
            raise
        return f"{scan.name}: {error.message}"
    return ""


def _add_volumes(
    client: Client, files: EngineFiles, project: Project, name: str, volumes: Sequence[VolumeSnapshot]
) -> Case:
    """Add a case; volumes that are in unmodified files go by their paths and are not encoded anew."""
    paths = [each.file for each in volumes if each.file is not None and holds(each.file, each)]
    if len(paths) == len(volumes):
        passing = any(each.passing for each in volumes)
        return _add_files(client, files, project, name, paths, copy_files=passing)
    with ExitStack() as stack:
        given = [
            stack.enter_context(
                files.handed_over(client, project, f"channel{index}.nrrd", partial(write_snapshot, each))
            )
            for index, each in enumerate(volumes)
        ]
        return client.add_case(project.key, name, given, copy_files=True)


def _add_files(
    client: Client,
    files: EngineFiles,
    project: Project,
    name: str,
    paths: Sequence[Path],
    copy_files: bool,
) -> Case:
    if files.shares_disk:
        try:
            return client.add_case(project.key, name, paths, copy_files=copy_files)
        except backend.client_package().EngineError as error:
            if error.code != _PATH_REFUSED:
                raise
    # The engine may not look there, or is elsewhere: it gets a copy.
    with ExitStack() as stack:
        given = [stack.enter_context(files.uploaded(client, path)) for path in paths]
        return client.add_case(project.key, name, given, copy_files=True)
