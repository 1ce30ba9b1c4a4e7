"""A signal of plain Python: PythonQt and PySide6 have no common way to define one in a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls everyone who asked for it, in the order in which they asked; main thread only."""

    def __init__(self) -> None:
        self._receivers: list[Callable[..., Any]] = []

    def connect(self, receiver: Callable[..., Any]) -> None:
        """Call `receiver` at every emission from now on; asking twice is asking once."""
        if receiver not in self._receivers:
            self._receivers.append(receiver)

    def disconnect(self, receiver: Callable[..., Any]) -> None:
        """Stop calling `receiver`; no complaint if it never asked."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)

    def emit(self, *values: Any) -> None:
        """Call the receivers; one that disconnects another while being called takes effect at once."""
        for receiver in tuple(self._receivers):
            if receiver in self._receivers:
                receiver(*values)
