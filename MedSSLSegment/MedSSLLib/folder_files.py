"""The files of a folder of this computer that may be scans, as the engine finds them in a folder of its own.

Projects and what runs of MedSSL wrote are no scans: whoever segments a folder twice would else segment, or
add as cases, the label maps of the first time.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from slicer.i18n import tr as _

from MedSSLLib.problems import Problem

_PROJECT = "project.db"  # makes a folder a project
_RESULTS = ".medssl"  # in a folder of results: what the runs keep about it
_LEDGER = "ledger.jsonl"


def files_in(top: Path, recursive: bool = True) -> list[Path]:
    """Every file that is neither hidden, nor in a project inside the folder, nor written by a run; sorted.

    Raises:
        Problem: the folder itself is a project.
    """
    found: list[Path] = []
    results: set[Path] = set()
    for parent, folders, names in os.walk(top):
        here = Path(parent)
        if _PROJECT in names:
            if here == top:
                raise Problem(
                    _("{folder} is a project of MedSSL, and what it holds are no scans.").format(folder=top),
                    _("Choose the folder of the scans themselves."),
                )
            folders.clear()
            continue
        if _RESULTS in folders:
            results |= _results_in(here) | _results_in(here.resolve())
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        found += [here / name for name in names if not name.startswith(".")]
    # Only now, since a link may point into a folder that comes later.
    return sorted(path for path in found if not _is_result(path, results))


def _is_result(path: Path, results: set[Path]) -> bool:
    """Whether a run wrote a file, or the one that a link points to."""
    if not results or path in results:
        return path in results
    is_link = os.path.islink(path)  # noqa: PTH114 - `is_symlink` raises where a folder may not be entered
    return is_link and path.resolve() in results


def _results_in(folder: Path) -> set[Path]:
    """Every file that runs ever wrote below a folder of results."""
    try:
        lines = (folder / _RESULTS / _LEDGER).read_bytes().splitlines()
    except OSError:  # no folder of results, or one of somebody else
        return set()
    return {folder / path for path in map(_path, lines) if path}


def _path(line: bytes) -> str:
    """The path of a row; empty where a kill or another program left half of one."""
    try:
        return str(json.loads(line)["path"])
    except (ValueError, KeyError, TypeError):
        return ""
