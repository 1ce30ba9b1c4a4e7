"""The projects this service knows: opened once, found by a key that fits into an address."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from medssl.errands import Errands
from medssl.errors import MedSSLError, NotFoundError
from medssl.project import DATABASE_NAME, Project
from medssl.service.paths import Roots
from medssl.storage import write_text

_MOST_KNOWN = 200
_PATIENCE_S = 2.0  # with a slow drive, while a person waits for the list
_SLOW = "does not answer: it is busy, or its drive is slow or away."
_GONE = (0, 0)


@dataclass(frozen=True)
class Known:
    """A project that was opened here before.

    Attributes:
        key: what addresses call it by.
        name: for people; "" as long as nobody has opened it since an older version noted it.
        problem: why it cannot be opened now, as far as a look at its folder tells.
    """

    key: str
    folder: Path
    name: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Open:
    project: Project
    identity: tuple[int, int]  # of the database; a folder may be removed and made anew


class Projects:
    """Open projects by key. Threads may share it; one that is slow to open keeps no other waiting."""

    def __init__(self, remembered: Path, roots: Roots, on_open: Callable[[Path], object]) -> None:
        """Read which projects an earlier service knew; none of them is opened yet.

        Args:
            remembered: the file that keeps their folders and names.
            roots: where projects may be.
            on_open: called with a project's folder when this service opens it for the first time.
        """
        self._file = remembered
        self._roots = roots
        self._on_open = on_open
        self._lock = threading.Lock()  # of what is in memory; nothing is read or written while it is held
        self._writing = threading.Lock()
        self._known = {known.key: known for known in _read(remembered)}
        self._open: dict[str, _Open] = {}
        self._openings = Errands[Project]()
        self._looks = Errands[Known]()

    def listed(self, patience_s: float = _PATIENCE_S) -> list[Known]:
        """Every project that was opened here and not forgotten, the one that a person opened last first.

        Those whose name is known are not opened. One that does not answer in `patience_s` seconds is told as
        such.
        """
        with self._lock:
            found = list(reversed(self._known.values()))
        looks = [self._looks.run(known.key, partial(self._look, known)) for known in found]
        wait(looks, patience_s)
        return [
            look.result() if look.done() else replace(known, problem=f"{known.folder} {_SLOW}")
            for known, look in zip(found, looks, strict=True)
        ]

    def arriving(self, key: str) -> Future[Project]:
        """Begin to open a project that is known, or to look whether it is still in its place.

        Its result raises `NotFoundError` when the folder is gone, and `ProjectError` and `PathError` when it
        cannot be opened.

        Raises:
            NotFoundError: no project has this key.
        """
        with self._lock:
            known = self._known.get(key)
        if known is None:
            raise NotFoundError(f"This service knows no project '{key[:40]}'.", "Open its folder first.")
        return self._openings.run(key, partial(self._opened, key, known.folder))

    def open(self, folder: Path) -> Project:
        """Open the project in a folder for a person, or return it when it is open."""
        folder = self._roots.inside(folder)
        key = key_of(folder)
        project = self._openings.run(key, partial(self._opened, key, folder)).result()
        self._use(key, project)
        return project

    def add(self, project: Project) -> Project:
        """Take in a project that a person just made."""
        key = key_of(project.folder)
        self._keep(key, project)
        self._use(key, project)
        return project

    def forget(self, key: str) -> Path:
        """Close a project and forget where it is; its folder, which is returned, stays as it is."""
        with self._lock:
            known = self._known.pop(key, None)
            found = self._open.pop(key, None)
        if known is None:
            raise NotFoundError(f"This service knows no project '{key[:40]}'.")
        self._remember()
        if found is not None:
            found.project.close()
        return known.folder

    def close(self) -> None:
        """Close all projects."""
        with self._lock:
            found = list(self._open.values())
            self._open.clear()
        for each in found:
            each.project.close()

    def _look(self, known: Known) -> Known:
        try:
            there = _identity(self._roots.inside(known.folder)) != _GONE
            name = known.name if known.name and there else self.arriving(known.key).result().name
        except MedSSLError as error:
            return replace(known, problem=str(error))
        except OSError:
            return replace(known, problem=f"{known.folder} cannot be read.")
        return replace(known, name=name)

    def _opened(self, asked: str, folder: Path) -> Project:
        folder = self._roots.inside(folder)
        key = key_of(folder)
        identity = _identity(folder)
        with self._lock:
            found = self._open.get(key)
            if found is not None and found.identity == identity:
                return found.project
            self._open.pop(key, None)
        if found is not None:
            found.project.close()
        project = Project.open(folder)
        self._keep(key, project)
        with self._lock:
            # Not one that was just forgotten; where a link leads elsewhere by now, its key is new.
            if key != asked or key in self._known:
                self._known[key] = Known(key, folder, project.name)
        return project

    def _keep(self, key: str, project: Project) -> None:
        opened = _Open(project, _identity(project.folder))
        with self._lock:
            before = self._open.get(key)
            self._open[key] = opened
        if before is not None:
            before.project.close()
        self._on_open(project.folder)

    def _use(self, key: str, project: Project) -> None:
        """Note that a person opened a project: it comes last, and the oldest fall out."""
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = Known(key, project.folder, project.name)
            while len(self._known) > _MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
        self._remember()

    def _remember(self) -> None:
        with self._writing:
            with self._lock:
                known = [{"folder": str(each.folder), "name": each.name} for each in self._known.values()]
            write_text(self._file, json.dumps(known, indent=1))


def key_of(folder: Path) -> str:
    """The key of a project's folder; the same in every service on this computer."""
    return hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = (folder / DATABASE_NAME).stat()
    except OSError:
        return _GONE
    return found.st_dev, found.st_ino


def _read(file: Path) -> list[Known]:
    """Read what was remembered; older versions kept folders only."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(found, list):
        return []
    noted = [each if isinstance(each, dict) else {"folder": each} for each in found]
    return [
        Known(key_of(Path(each["folder"])), Path(each["folder"]), str(each.get("name", "")))
        for each in noted
        if isinstance(each.get("folder"), str)
    ]
