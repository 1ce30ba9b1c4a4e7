"""Reloading both modules with the library that they share, for those who change them."""

from __future__ import annotations

import sys

import slicer

from MedSSLLib.session import Session

_MODULES = ("MedSSLSegment", "MedSSLPretrain")
_LIBRARY = "MedSSLLib"


def reload_modules() -> None:
    """Reload every panel that was opened: they show one session, so that none may keep the old library."""
    opened = [name for name in _MODULES if hasattr(slicer.modules, f"{name}Widget")]
    for name in opened:
        getattr(slicer.modules, f"{name}Widget").cleanup()  # what was drawn is kept while there is a session
    Session.end()
    for name in [each for each in sys.modules if each == _LIBRARY or each.startswith(f"{_LIBRARY}.")]:
        del sys.modules[name]
    for name in opened:
        slicer.util.reloadScriptedModule(name)
    shown = slicer.util.selectedModule()
    if shown in opened:
        # Slicer sets the new panel up, but enters it only at the next visit.
        getattr(slicer.modules, f"{shown}Widget").enter()
