"""Stands in for slicer.packaging: asks for packages in Slicer's Python, and never installs any in a test."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Any

__all__ = ["isPipInstallInProgress", "pip_check", "pip_ensure", "pip_install"]


def isPipInstallInProgress() -> bool:
    return False


def pip_check(req: str | list[str], _seen: Any = None) -> bool:
    """Whether packages are there, whatever their versions."""
    names = [req] if isinstance(req, str) else req
    there = {found.name.lower() for found in importlib.metadata.distributions()}
    return all(re.split(r"[<>=!~;\[ ]", str(name))[0].lower() in there for name in names)


def pip_install(
    requirements: str | list[str], constraints: str | Path | None = None, **_options: Any
) -> None:
    """Nothing is installed where tests run."""
    raise RuntimeError(f"A test asked to install {requirements} into the Python of the application.")


def pip_ensure(requirements: str | list[str], **_options: Any) -> None:
    """As in the application under --testing: what is missing stays missing."""
