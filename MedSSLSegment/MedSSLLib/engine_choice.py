"""Which engine the person chose, and what is needed to start it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import slicer

from MedSSLLib import backend, environments
from MedSSLLib.settings import Settings

if TYPE_CHECKING:
    from medssl.client import Client, EngineError

PYTHON_VARIABLE = "MEDSSL_ENGINE_PYTHON"
"""The Python of the engine, for tests and for administrators; it goes before every choice."""

ENVIRONMENT, SLICER, PYTHON, REMOTE = "environment", "slicer", "python", "remote"
_ROOTS_REFUSED = "roots"  # the client's code for an engine that cannot be given further folders now


@dataclass(frozen=True)
class EngineChoice:
    """An engine that can be had.

    Attributes:
        kind: 'environment' of its own, 'slicer' for Slicer's own Python, 'python' for another one that has
            MedSSL installed, or 'remote'.
        python: to start it with; None for a remote one.
        address: of a remote one, such as 'https://gpu-server:8443'.
        certificate: PEM file that a remote one is to be trusted by; '' for what this computer trusts.
    """

    kind: str
    python: Optional[Path] = None
    address: str = ""
    certificate: str = ""

    def environment(self) -> Mapping[str, str]:
        """The variables to start it with: as before Slicer set its own."""
        variables = dict(slicer.util.startupEnvironment())
        if self.kind == SLICER:
            # Slicer's Python has what the engine needs, but not the engine itself.
            variables["PYTHONPATH"] = str(backend.backend_folder())
        return variables

    def start(
        self, roots: Sequence[str | Path], variables: Mapping[str, str]
    ) -> tuple[Client, Optional[EngineError]]:
        """Find or start this engine of this computer; waits for it.

        Args:
            roots: folders that it must be allowed to touch; what is no folder is left out.
            variables: to start it with, see `environment`, which only the main thread may ask for.

        Returns:
            A client; and why the engine that runs may not touch all of the folders, None when it may.

        Raises:
            EngineError: it does not start, or one runs that does not fit.
        """
        medssl = backend.client_package()
        present = [Path(root) for root in dict.fromkeys(roots) if Path(root).is_dir()]
        try:
            client = medssl.start_or_attach(self.python, roots=present, environment=variables)
            return client, None
        except medssl.EngineError as refusal:
            running = medssl.attach() if refusal.code == _ROOTS_REFUSED else None
            if running is None:
                raise
            return running, refusal


def current_choice(settings: Settings) -> Optional[EngineChoice]:
    """The engine to use; None when nothing is set up yet."""
    variable = os.environ.get(PYTHON_VARIABLE)
    if variable:
        return EngineChoice(PYTHON, Path(variable))
    kind = settings.value("engine.kind", ENVIRONMENT)
    if kind == REMOTE:
        address = settings.value("engine.address", "")
        certificate = settings.value("engine.certificate", "")
        agreed = has_agreed(settings, address)
        return EngineChoice(REMOTE, address=address, certificate=certificate) if agreed else None
    if kind == SLICER:
        return EngineChoice(SLICER, slicers_python())
    if kind == PYTHON:
        python = settings.value("engine.python", "")
        return EngineChoice(PYTHON, Path(python)) if python else None
    for folder in (environments.environment_folder(settings), environments.clone_environment()):
        if environments.is_ready(folder):
            return EngineChoice(ENVIRONMENT, environments.python_of(folder))
    return None


def slicers_python() -> Path:
    """Slicer's own Python, which it puts into the path under a name of its own."""
    return Path(shutil.which("PythonSlicer") or sys.executable)


def has_agreed(settings: Settings, address: str) -> bool:
    """Whether the person agreed that scans go to this address."""
    return bool(address) and address in settings.texts("engine.agreed")


def agree(settings: Settings, address: str) -> None:
    """Remember that the person agreed that scans go to this address."""
    agreed = settings.texts("engine.agreed")
    settings.remember("engine.agreed", [*(each for each in agreed if each != address), address])
