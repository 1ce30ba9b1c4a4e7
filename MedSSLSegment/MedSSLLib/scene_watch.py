"""The closing of Slicer's scene, told to everyone who has something in it."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSSLLib.signals import Signal


class SceneWatch:
    """Watches the scene for both modules, whichever of them is open.

    Args:
        closing: gets told before anything goes.
        closed: gets told when the scene is empty.
    """

    def __init__(self, closing: Signal, closed: Signal) -> None:
        self._closing = closing
        self._closed = closed
        scene = slicer.mrmlScene
        self._tags = (
            scene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._start),
            scene.AddObserver(slicer.vtkMRMLScene.EndCloseEvent, self._end),
        )

    def close(self) -> None:
        """Watch no more."""
        for tag in self._tags:
            slicer.mrmlScene.RemoveObserver(tag)

    def _start(self, *_arguments: Any) -> None:
        with slicer.util.tryWithErrorDisplay(_("What was drawn could not be saved."), waitCursor=True):
            self._closing.emit()

    def _end(self, *_arguments: Any) -> None:
        self._closed.emit()
