"""What must be so before an installation can work, each point with what to do when it is not."""

from __future__ import annotations

import importlib.util
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from medssl.host import free_disk_bytes, path_limit, why_not_writable

from .torch_build import why_no_torch

_GB = 1_000_000_000
_LONGEST_INSIDE = 190  # characters of the longest path below an environment, torch's headers, with some room


@dataclass(frozen=True)
class Point:
    """One thing that was looked at; `remedy` is empty when it is as it must be."""

    name: str
    found: str
    remedy: str = ""


def needed_bytes(build: str, with_torch: bool) -> int:
    """Disk space that an environment takes, with the downloads on their way."""
    if not with_torch:
        return _GB // 10
    return 4 * _GB if build == "cpu" else 12 * _GB


def look(folder: Path, needed: int, with_torch: bool) -> tuple[Point, ...]:
    """Look at everything an environment in `folder` needs from this computer."""
    return (
        _python(with_torch),
        _venv(),
        _permission(folder),
        _disk(folder, needed),
        _path_length(folder),
    )


def _python(with_torch: bool) -> Point:
    found = f"{platform.python_version()}, {sys.executable}"
    reason = why_no_torch() if with_torch else ""
    if not reason:
        return Point("Python", found)
    return Point(
        "Python",
        f"{found}. {reason}",
        "Install a Python of 64 bits for this processor, or use another computer.",
    )


def _venv() -> Point:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if not missing:
        return Point("venv", "Python can make environments")
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    return Point(
        "venv",
        f"This Python comes without its module {' and '.join(missing)}",
        f"On Debian and Ubuntu: apt install {package}; elsewhere install Python from https://www.python.org.",
    )


def _permission(folder: Path) -> Point:
    reason = why_not_writable(folder)
    if not reason:
        return Point("Folder", str(folder))
    return Point(
        "Folder", f"{folder} may not be written: {reason}", "Choose a folder of your own with --env DIR."
    )


def _disk(folder: Path, needed: int) -> Point:
    free = free_disk_bytes(folder)
    found = f"{free / _GB:.1f} GB free, {needed / _GB:.1f} GB needed"
    if free >= needed:
        return Point("Disk", found)
    return Point("Disk", f"{found} for {folder}", "Free some space, or choose another disk with --env DIR.")


def _path_length(folder: Path) -> Point:
    limit = path_limit()
    length = len(str(folder)) + 1 + _LONGEST_INSIDE
    if limit is None or length <= limit:
        return Point("Path length", "short enough")
    return Point(
        "Path length",
        f"{folder} makes paths of {length} characters, and Windows opens no more than {limit}",
        "Choose a short folder, such as --env C:\\medssl-env, or switch on long paths in Windows.",
    )
