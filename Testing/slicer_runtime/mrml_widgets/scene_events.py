"""What the MRML widgets are told of the scene."""

from __future__ import annotations

import weakref
from typing import Any

import shiboken6
import slicer
import vtk


class SceneEvents:
    """Calls a widget's `_on_added(node)`, `_on_removed(node)` and `_on_refill()` while it lives."""

    def __init__(self, follower: Any) -> None:
        self._follower = weakref.ref(follower)
        self._scene: Any = None
        self._tags: list[int] = []

    def follow(self, scene: Any) -> None:
        """Observe this scene instead of the one before; None for no scene."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []
        self._scene = scene
        if scene is None:
            return
        kinds = slicer.vtkMRMLScene

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def added(_scene: Any, _event: str, node: Any) -> None:
            if (follower := self._alive()) is not None and not scene.IsBatchProcessing():
                follower._on_added(node)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def removed(_scene: Any, _event: str, node: Any) -> None:
            if (follower := self._alive()) is not None:
                follower._on_removed(node)

        def refill(_scene: Any, _event: str) -> None:
            if (follower := self._alive()) is not None:
                follower._on_refill()

        self._tags = [
            scene.AddObserver(kinds.NodeAddedEvent, added),
            scene.AddObserver(kinds.NodeAboutToBeRemovedEvent, removed),
            scene.AddObserver(kinds.EndCloseEvent, refill),
            scene.AddObserver(kinds.EndBatchProcessEvent, refill),
        ]

    def _alive(self) -> Any:
        """The widget, unless Qt has deleted it."""
        follower = self._follower()
        if follower is None or not shiboken6.isValid(follower):
            self.follow(None)
            return None
        return follower
