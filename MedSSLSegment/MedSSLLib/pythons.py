"""Pythons of this computer that can make the engine's environment.

Slicer's own is asked last, and only taken when an environment made by it starts: it mostly does not, because
Slicer's Python finds its libraries through the variables that its launcher sets.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedSSLLib.problems import Problem

OLDEST, TOO_NEW = (3, 10), (3, 15)
_MINORS = (12, 11, 13, 14, 10)  # in the order of preference
_ASK = (
    "import json, sys, venv, ensurepip;"
    "print(json.dumps([sys.version_info[:3], sys.maxsize > 2**32, sys.base_prefix]))"
)
_ASK_S, _MAKE_S = 15.0, 60.0
_PLACES = ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin")
_MAC_FRAMEWORK = "/Library/Frameworks/Python.framework/Versions/3.{minor}/bin/python3"


@dataclass(frozen=True)
class FoundPython:
    """A Python that can make environments; `title` is for people."""

    path: Path
    version: str

    @property
    def title(self) -> str:
        """Its version and where it is."""
        return f"Python {self.version} ({self.path})"


def find_pythons(environment: Mapping[str, str], slicers_own: Path) -> tuple[FoundPython, ...]:
    """Look for Pythons 3.10 to 3.14 of 64 bits with venv; for a thread beside the main one.

    Args:
        environment: the variables as before Slicer set its own.
        slicers_own: its Python, tried last.

    Returns:
        The best one first; none when there is none.
    """
    found: list[FoundPython] = []
    seen: set[str] = set()
    for path in _candidates(environment):
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        version = _fit_version(path, environment)
        if version:
            found.append(FoundPython(path, version))
    version = _fit_version(slicers_own, environment)
    if (
        version
        and os.path.realpath(slicers_own) not in seen
        and _makes_environments(slicers_own, environment)
    ):
        found.append(FoundPython(slicers_own, version))
    return tuple(found)


def no_python() -> Problem:
    """What to say when this computer has no Python that fits."""
    return Problem(
        _("No Python 3.10 to 3.14 was found on this computer."),
        _("Install one from https://www.python.org/downloads/ and open this window again."),
    )


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    path = environment.get("PATH", os.defpath)
    for name in (*(f"python3.{minor}" for minor in _MINORS), "python3", "python"):
        program = shutil.which(name, path=path)
        # The shortcut of Microsoft's store is no Python; it opens the store.
        if program and "WindowsApps" not in program:
            yield Path(program)
    if sys.platform == "win32":
        yield from _listed_by_launcher(environment)
        return
    for minor in _MINORS:
        places = [Path(folder) / f"python3.{minor}" for folder in _PLACES]
        for place in (*places, Path(_MAC_FRAMEWORK.format(minor=minor))):
            if place.exists():
                yield place


def _listed_by_launcher(environment: Mapping[str, str]) -> Iterator[Path]:
    """What the launcher `py`, which comes with Python for Windows, knows."""
    for line in _output(["py", "-0p"], environment, _ASK_S).splitlines():
        match = re.search(r"([A-Za-z]:\\.*python\.exe)\s*$", line)
        if match:
            yield Path(match[1])


def _fit_version(python: Path, environment: Mapping[str, str]) -> str:
    """Its version when it can be used, else ''."""
    text = _output([str(python), "-c", _ASK], environment, _ASK_S)
    try:
        version, has_64_bits, _ = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return ""
    fits = has_64_bits and OLDEST <= tuple(version[:2]) < TOO_NEW
    return ".".join(map(str, version)) if fits else ""


def _makes_environments(python: Path, environment: Mapping[str, str]) -> bool:
    with tempfile.TemporaryDirectory(prefix="MedSSL-") as folder:
        made = Path(folder) / "env"
        _output([str(python), "-m", "venv", "--without-pip", str(made)], environment, _MAKE_S)
        program = made / "Scripts" / "python.exe" if sys.platform == "win32" else made / "bin" / "python"
        asked = [str(program), "-c", "import ssl, ctypes, sys; print(sys.prefix)"]
        answer = _output(asked, environment, _ASK_S).strip()
        return bool(answer) and os.path.realpath(answer) == os.path.realpath(made)


def _output(command: list[str], environment: Mapping[str, str], timeout_s: float) -> str:
    hidden: dict[str, Any] = {}
    if sys.platform == "win32":
        hidden = {"creationflags": subprocess.CREATE_NO_WINDOW}
    try:
        answer = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
            **hidden,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.decode("utf-8", "replace") if answer.returncode == 0 else ""
