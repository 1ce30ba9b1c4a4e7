"""The frame of a section: its .ui file, and the widgets in it by name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import qt
import slicer

_UI = Path(__file__).resolve().parents[1] / "Resources" / "UI"


def load_ui(name: str, folder: Path = _UI) -> tuple[qt.QWidget, SimpleNamespace]:
    """Build `Resources/UI/<name>.ui`.

    Returns:
        The widget, with Slicer's scene set where it asks for one, and its named children as attributes.
    """
    widget = slicer.util.loadUI(str(folder / f"{name}.ui"))
    children = slicer.util.childWidgetVariables(widget)
    return widget, children
