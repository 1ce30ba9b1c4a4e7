"""Where the engine's own files are, and its client, which is all of it that is imported here."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

_HERE = Path(__file__).resolve().parent


def backend_folder() -> Path:
    """Return the folder that holds `bootstrap.py`: of a clone, or of the installed extension.

    Raises:
        FileNotFoundError: the extension is incomplete.
    """
    in_clone = _HERE.parents[1] / "backend"
    installed = _HERE.parent / "MedSSLBackend"
    for folder in (in_clone, installed):
        if (folder / "bootstrap.py").is_file():
            return folder
    raise FileNotFoundError(
        f"The files of the MedSSL engine are not at {in_clone} or {installed}: install the extension again."
    )


def client_package() -> ModuleType:
    """Import `medssl.client`, which needs neither torch nor anything else that Slicer lacks."""
    folder = str(backend_folder())
    if folder not in sys.path:
        sys.path.append(folder)
    import medssl.client

    return medssl.client
