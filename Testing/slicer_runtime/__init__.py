"""Runs modules of 3D Slicer without the application.

The MRML scene, the logics and the displayable managers are the application's own C++ (PyPI slicer-core), and
so is `slicer.util`. What the application adds to them, Qt through PythonQt, CTK, the widgets of MRML nodes
and the main window, is stood in for by PySide6 and the small classes of this folder. Each says which original
it stands in for, and `api_record.json` holds what the originals offer.
"""

from slicer_runtime.runtime import Runtime, start

__all__ = ["Runtime", "start"]
