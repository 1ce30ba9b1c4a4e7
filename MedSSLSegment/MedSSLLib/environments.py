"""The folders of the engine's own environments on this computer.

An environment serves one Slicer: it uses the engine where it lies, in the folder of that Slicer's extension.
Several Slicers of one person have one each, and one whose Slicer is gone is brought up to date for the next.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

from MedSSLLib import backend
from MedSSLLib.settings import Settings

_STAMP = "medssl-environment.json"  # the note of bootstrap.py in an environment
_CHOSEN = "engine.environments"


def environment_folder(settings: Settings) -> Path:
    """Where the environment of this Slicer is, or will be."""
    chosen, made = _chosen(settings), sorted(_home().glob("env*"))
    here = str(backend.backend_folder())
    mine = next((folder for folder in (*chosen, *made) if _served(folder) == here), None)
    if mine is not None:
        return mine
    return next(folder for folder in chain(chosen[:1], made, _new()) if not _is_needed(folder))


def choose_environment(settings: Settings, folder: Path) -> None:
    """Remember the folder that the person chose, before those chosen earlier, perhaps in other Slicers."""
    others = (str(each) for each in _chosen(settings) if each != folder)
    settings.remember(_CHOSEN, [str(folder), *others])


def clone_environment() -> Path:
    """Where bootstrap.py makes an environment when it is not told."""
    return backend.backend_folder().parent / ".venv"


def python_of(environment: Path) -> Path:
    """The Python of an environment."""
    if sys.platform == "win32":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def is_ready(environment: Path) -> bool:
    """Whether bootstrap.py finished this environment, for the engine that is here."""
    here = _served(environment) == str(backend.backend_folder())
    return here and _stamp(environment).get("state") == "ready" and python_of(environment).exists()


def is_ours(environment: Path) -> bool:
    """Whether bootstrap.py made this folder, finished or not, so that it may be removed."""
    return (environment / _STAMP).is_file()


def _chosen(settings: Settings) -> tuple[Path, ...]:
    """The folders that the person chose, the last one first."""
    return tuple(Path(each) for each in settings.texts(_CHOSEN))


def _home() -> Path:
    """The folder of this user for environments, with a short path, since Windows has a limit."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "medssl"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "medssl"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "medssl"


def _new() -> Iterator[Path]:
    yield _home() / "env"
    for number in count(2):
        yield _home() / f"env-{number}"


def _stamp(environment: Path) -> dict[str, Any]:
    try:
        found = json.loads((environment / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _served(environment: Path) -> str:
    """The folder of the engine that an environment was made for; '' when there is none."""
    return str(_stamp(environment).get("backend", ""))


def _is_needed(environment: Path) -> bool:
    """Whether the engine that an environment was made for is still there."""
    served = _served(environment)
    return bool(served) and Path(served).is_dir()
