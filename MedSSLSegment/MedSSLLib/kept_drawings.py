"""Drawings in files of this user, from the moment their case leaves the screen until the engine has them.

Each is a folder in the state folder: `drawing.nrrd`, the label map, `drawing.json`, what it is of, and
`drawing.lock`, on which the Slicer that deals with it holds a lock.
Everything here is for threads beside the main one.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from MedSSLLib import backend
from MedSSLLib.drawings import DrawingFacts, DrawnSegment
from MedSSLLib.grids import Grid, grid_of_image
from MedSSLLib.problems import Problem
from MedSSLLib.schema_logic import free_names
from MedSSLLib.voxel_files import read_image, unwritable, write_nrrd

_FOLDER = "drawings"
_VOXELS, _FACTS, _LOCK = "drawing.nrrd", "drawing.json", "drawing.lock"


@dataclass(frozen=True)
class KeptDrawing:
    """A drawing in a folder of its own."""

    folder: Path
    facts: DrawingFacts

    @property
    def is_there(self) -> bool:
        """Whether nobody deleted it meanwhile."""
        return (self.folder / _FACTS).is_file()

    def read(self) -> tuple[np.ndarray, Grid]:
        """Read the label map, uint8 (k, j, i), and where its voxels lie.

        Raises:
            Problem: it cannot be read.
        """
        import SimpleITK as sitk

        image = read_image(self.folder / _VOXELS)
        return sitk.GetArrayFromImage(image), grid_of_image(image)


class Keeper:
    """Keeps drawings, each in the hand of one Slicer only: several of one user may run.

    However a process ends, the operating system lets go of its locks, and others may take what it kept.
    """

    def __init__(self) -> None:
        self._locks: dict[Path, IO[bytes]] = {}  # by the folders of what is in hand
        self._closed = False

    def keep(self, facts: DrawingFacts, labels: np.ndarray, grid: Grid) -> KeptDrawing:
        """Write a drawing into a folder, and have it in hand.

        Raises:
            Problem: it cannot be written.
        """
        kept = KeptDrawing(_home() / uuid.uuid4().hex[:12], facts)
        try:
            _home().mkdir(parents=True, exist_ok=True, mode=0o700)
            kept.folder.mkdir(mode=0o700)
            self._lock(kept.folder)
            write_nrrd(kept.folder / _VOXELS, labels, grid)
            # Last: without it, the folder is one whose writing was cut off.
            (kept.folder / _FACTS).write_text(json.dumps(asdict(facts)), encoding="utf-8")
        except (OSError, Problem) as error:
            self.discard(kept)
            if isinstance(error, OSError):
                raise unwritable(kept.folder, error) from error
            raise
        return kept

    def take(self, drawing: KeptDrawing) -> bool:
        """Take a drawing in hand; False for one that is in hand already, here or elsewhere, or is gone."""
        if not self._lock(drawing.folder):
            return False
        if not drawing.is_there:
            self.release(drawing)
            return False
        return True

    def release(self, drawing: KeptDrawing) -> None:
        """Let others have it."""
        self._unlock(drawing.folder)

    def discard(self, drawing: KeptDrawing) -> None:
        """Delete it: the engine has it, or the person does not want it."""
        with suppress(OSError):
            (drawing.folder / _FACTS).unlink()  # first: nobody takes it while the rest goes
        self.release(drawing)
        shutil.rmtree(drawing.folder, ignore_errors=True)

    def close(self) -> None:
        """Let others have everything, also what a thread takes after this."""
        self._closed = True
        for folder in tuple(self._locks):
            self._unlock(folder)

    def _lock(self, folder: Path) -> bool:
        backend.client_package()
        from medssl.occupancy import try_lock

        if folder in self._locks:
            return False
        try:
            file = (folder / _LOCK).open("ab", buffering=0)
        except OSError:  # it was just deleted, or may not be written
            return False
        if self._locks.setdefault(folder, file) is not file:  # another thread was faster
            file.close()
            return False
        try:
            is_ours = try_lock(file)
        except OSError:  # a file system without locks: keeping the drawing goes first
            is_ours = True
        if not is_ours or self._closed:
            self._unlock(folder)
            return False
        return True

    def _unlock(self, folder: Path) -> None:
        lock = self._locks.pop(folder, None)
        if lock is not None:
            lock.close()


def kept(project: str) -> tuple[KeptDrawing, ...]:
    """List what is kept for a project, given its key, the oldest first."""
    written = dict[Path, float]()
    for path in _home().glob(f"*/{_FACTS}"):
        with suppress(OSError):  # another Slicer discards it just now
            written[path] = path.stat().st_mtime
    files = sorted(written, key=written.__getitem__)
    found = (KeptDrawing(path.parent, facts) for path in files for facts in _facts(path))
    return tuple(each for each in found if each.facts.project == project)


def _facts(path: Path) -> tuple[DrawingFacts, ...]:
    """Read what a drawing is of; nothing when the file is not as it should be."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        segments = tuple(_segment(each) for each in found.pop("segments"))
        # Earlier versions kept two of one name, which no project can have.
        names = free_names((each.name for each in segments), ())
        segments = tuple(replace(each, name=name) for each, name in zip(segments, names))
        return (DrawingFacts(**found, segments=segments),)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return ()


def _segment(found: Mapping[str, Any]) -> DrawnSegment:
    red, green, blue = found["color"]
    return DrawnSegment(found["name"], found["value"], (red, green, blue), found["terminology"])


def _home() -> Path:
    backend.client_package()
    from medssl.endpoint import state_folder

    return Path(state_folder()) / _FOLDER
