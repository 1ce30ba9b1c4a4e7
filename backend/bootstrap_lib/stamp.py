"""The note in an environment that says who made it, from what, and whether it was finished."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from medssl.occupancy import STAMP

FORMAT = 1
# Only these parts of the engine decide what is installed; its code is used where it lies.
_INPUTS = ("pyproject.toml", "constraints/cpu.txt")


@dataclass(frozen=True)
class Stamp:
    """What an environment holds; `state` is 'unfinished' from its first moment to its last."""

    state: Literal["unfinished", "ready"]
    folder: str  # an environment does not work in another folder
    backend: str  # nor with an engine that has moved
    fingerprint: str = ""
    with_tests: bool = False
    torch: str = ""  # the build: cpu, cu130, or default where there is only one
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    format: int = FORMAT


def fingerprint(backend: Path) -> str:
    """A hash of the files that decide what is installed."""
    digest = hashlib.sha256()
    for name in _INPUTS:
        digest.update((backend / name).read_bytes())
    return digest.hexdigest()[:16]


def read_stamp(environment: Path) -> Stamp | None:
    """The stamp of an environment; None when it has none. A stamp nobody can read counts as unfinished."""
    path = environment / STAMP
    if not path.is_file():
        return None
    try:
        found = Stamp(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return Stamp("unfinished", folder="", backend="")
    return found if found.format == FORMAT else replace(found, state="unfinished", folder="")


def write_stamp(environment: Path, stamp: Stamp) -> None:
    """Write the stamp at once or not at all."""
    temporary = environment / f"{STAMP}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(stamp), indent=1) + "\n", encoding="utf-8")
    temporary.replace(environment / STAMP)
