"""Drawings in files of this user, from the moment their case leaves the screen until the engine has them.

Each is a folder in the state folder: `drawing.nrrd`, the label map, and `drawing.json`, what it is of.
Everything here is for threads beside the main one.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from MedSSLLib import backend
from MedSSLLib.drawings import DrawingFacts, DrawnSegment
from MedSSLLib.grids import Grid, grid_of_image
from MedSSLLib.problems import Problem
from MedSSLLib.schema_logic import free_names
from MedSSLLib.voxel_files import read_image, unwritable, write_nrrd

_FOLDER = "drawings"
_VOXELS, _FACTS = "drawing.nrrd", "drawing.json"


@dataclass(frozen=True)
class KeptDrawing:
    """A drawing in a folder of its own."""

    folder: Path
    facts: DrawingFacts

    def read(self) -> tuple[np.ndarray, Grid]:
        """Read the label map, uint8 (k, j, i), and where its voxels lie.

        Raises:
            Problem: it cannot be read.
        """
        import SimpleITK as sitk

        image = read_image(self.folder / _VOXELS)
        return sitk.GetArrayFromImage(image), grid_of_image(image)

    def discard(self) -> None:
        """Delete it: the engine has it, or the person does not want it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def new_name() -> str:
    """Make up a name for the folder of a drawing."""
    return uuid.uuid4().hex[:12]


def keep(name: str, facts: DrawingFacts, labels: np.ndarray, grid: Grid) -> KeptDrawing:
    """Write a drawing into the folder of that name.

    Raises:
        Problem: it cannot be written.
    """
    folder = _home() / name
    try:
        _home().mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
        write_nrrd(folder / _VOXELS, labels, grid)
        # Last: without it, the folder is one whose writing was cut off.
        (folder / _FACTS).write_text(json.dumps(asdict(facts)), encoding="utf-8")
    except (OSError, Problem) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise unwritable(folder, error) from error
        raise
    return KeptDrawing(folder, facts)


def kept(project: str) -> tuple[KeptDrawing, ...]:
    """List what is kept for a project, given its key, the oldest first."""
    files = sorted(_home().glob(f"*/{_FACTS}"), key=lambda path: path.stat().st_mtime)
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
