"""The projects this service knows: opened once, found by a key that fits into an address."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medssl.errors import NotFoundError
from medssl.project import DATABASE_NAME, Project
from medssl.service.paths import Roots
from medssl.storage import write_text

_MOST_KNOWN = 200


@dataclass(frozen=True)
class _Open:
    project: Project
    identity: tuple[int, int]  # of the database; a folder may be removed and made anew


class Projects:
    """Open projects by key. Threads may share it."""

    def __init__(self, remembered: Path, roots: Roots, on_open: Callable[[Path], object]) -> None:
        """Read which projects an earlier service knew; none of them is opened yet.

        Args:
            remembered: the file that keeps their folders.
            roots: where projects may be.
            on_open: called with a project's folder when this service opens it for the first time.
        """
        self._file = remembered
        self._roots = roots
        self._on_open = on_open
        self._lock = threading.RLock()
        self._folders = {key_of(folder): folder for folder in _read(remembered)}
        self._open: dict[str, _Open] = {}

    def keys(self) -> dict[str, Path]:
        """The folders of all projects that were ever opened here and not forgotten, by key."""
        with self._lock:
            return dict(self._folders)

    def get(self, key: str) -> Project:
        """Return a project that is known, and open it when it is not.

        Raises:
            NotFoundError: no project has this key, or its folder is gone.
            ProjectError, PathError: it cannot be opened.
        """
        with self._lock:
            folder = self._folders.get(key)
        if folder is None:
            raise NotFoundError(f"This service knows no project '{key[:40]}'.", "Open its folder first.")
        return self.open(folder)

    def ready(self, key: str) -> Project | None:
        """Return a project that is open and still in its place, without waiting for anything; else None."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            found = self._open.get(key)
            unchanged = found is not None and found.identity == _identity(found.project.folder)
            return found.project if found is not None and unchanged else None
        finally:
            self._lock.release()

    def open(self, folder: Path) -> Project:
        """Open the project in a folder, or return it when it is open."""
        folder = self._roots.inside(folder)
        key = key_of(folder)
        with self._lock:
            found = self._open.get(key)
            if found is not None and found.identity == _identity(folder):
                return found.project
            if found is not None:
                del self._open[key]
                found.project.close()
            return self._add(key, Project.open(folder))

    def add(self, project: Project) -> Project:
        """Take in a project that was just made."""
        with self._lock:
            return self._add(key_of(project.folder), project)

    def forget(self, key: str) -> None:
        """Close a project and forget where it is; its folder stays as it is."""
        with self._lock:
            if self._folders.pop(key, None) is None:
                raise NotFoundError(f"This service knows no project '{key[:40]}'.")
            found = self._open.pop(key, None)
            self._remember()
        if found is not None:
            found.project.close()

    def close(self) -> None:
        """Close all projects."""
        with self._lock:
            for found in self._open.values():
                found.project.close()
            self._open.clear()

    def _add(self, key: str, project: Project) -> Project:
        self._open[key] = _Open(project, _identity(project.folder))
        # The one used last comes last, and the oldest fall out.
        self._folders.pop(key, None)
        self._folders[key] = project.folder
        while len(self._folders) > _MOST_KNOWN:
            self._folders.pop(next(iter(self._folders)))
        self._remember()
        self._on_open(project.folder)
        return project

    def _remember(self) -> None:
        write_text(self._file, json.dumps([str(folder) for folder in self._folders.values()], indent=1))


def key_of(folder: Path) -> str:
    """The key of a project's folder; the same in every service on this computer."""
    return hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = (folder / DATABASE_NAME).stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def _read(file: Path) -> list[Path]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [Path(each) for each in found if isinstance(each, str)] if isinstance(found, list) else []
