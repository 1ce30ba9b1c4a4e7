"""Gives the mouse in the slice views to the active effect of the Segment Editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

_PRIORITY = 10.0  # before the views' own interactor styles
_EVENTS = ("LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent")


class ViewEvents:
    """Observes the views from `observe` to `release`; what an effect takes, the view does not get."""

    def __init__(self, active_effect: Callable[[], Any]) -> None:
        self._active_effect = active_effect
        self._observed: list[tuple[Any, int]] = []

    def observe(self) -> None:
        """Observe the slice views of the layout."""
        self.release()
        manager = slicer.app.layoutManager()
        for name in manager.sliceViewNames():
            widget = manager.sliceWidget(name)
            interactor = widget.interactorStyle().GetInteractor()
            for event in _EVENTS:
                self._observe(widget, interactor, event)

    def release(self) -> None:
        """Leave the mouse to the views."""
        for interactor, tag in self._observed:
            interactor.RemoveObserver(tag)
        self._observed = []

    def _observe(self, widget: Any, interactor: Any, event: str) -> None:
        def on_event(_caller: Any, _name: str) -> None:
            effect = self._active_effect()
            if effect is None:
                return
            act = {
                "LeftButtonPressEvent": effect._press,
                "MouseMoveEvent": effect._move,
                "LeftButtonReleaseEvent": effect._release,
            }[event]
            if act(widget, interactor.GetEventPosition()):
                interactor.GetCommand(tag).SetAbortFlag(1)

        tag = interactor.AddObserver(event, on_event, _PRIORITY)
        self._observed.append((interactor, tag))
