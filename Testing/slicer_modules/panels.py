"""Panels for tests: the real module in the stand-in, with a session and settings of its own each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import slicer
import slicer_runtime
from pictures import save_picture
from shiboken6 import isValid

ROOT = Path(__file__).parents[2]


@contextmanager
def person_answers(monkeypatch: pytest.MonkeyPatch, act: Callable[[Any], None] | str) -> Iterator[list[str]]:
    """Let questions be asked as they are outside of tests; one that comes in the block is answered.

    Args:
        monkeypatch: of the test.
        act: what is done with the message box, or the words on the button of it that is clicked.

    Yields:
        The question and the words on its buttons, in a list that is empty until it was asked.
    """
    from PySide6 import QtCore, QtWidgets

    told: list[str] = []

    def answer() -> None:
        box = QtWidgets.QApplication.activeModalWidget()
        if not isinstance(box, QtWidgets.QMessageBox):
            QtCore.QTimer.singleShot(50, waiting, answer)
            return
        told.extend([box.text, *(button.text for button in box.buttons())])
        if callable(act):
            act(box)
        else:
            next(button for button in box.buttons() if button.text == act).click()

    waiting = QtCore.QObject()  # nothing is answered any more once it is gone
    with monkeypatch.context() as person:
        person.setattr(slicer.app, "testingEnabled", lambda: False)
        QtCore.QTimer.singleShot(0, waiting, answer)
        yield told
    waiting.deleteLater()


class OpenPanel:
    """A module that was opened as a person does, found by its widgets' names."""

    def __init__(self, runtime: slicer_runtime.Runtime, name: str, wait_until: Callable[..., None]) -> None:
        self._runtime, self._name, self.wait_until = runtime, name, wait_until
        self._open()

    def reopen(self) -> None:
        """End Slicer and start it again, as far as the module sees that."""
        self.close()
        self._open()

    def close(self) -> None:
        """Leave the module and take it out of Slicer, as at its end."""
        from MedSSLLib.session import Session

        slicer.util.selectModule("")
        if self._runtime.modules.module(self._name) is not None:
            self._runtime.modules.unload(self._name)
        Session.end()

    def _open(self) -> None:
        from MedSSLLib.session import Session

        Session.end()
        self._runtime.load_module(ROOT / self._name / f"{self._name}.py")
        slicer.util.selectModule(self._name)
        self.widget = getattr(slicer.modules, f"{self._name}Widget")
        self.session = Session.current()
        self._found: dict[str, Any] = {}

    def find(self, name: str) -> Any:
        """A widget by its name, wherever it is in the panel."""
        known = self._found.get(name)
        if known is not None and isValid(known):
            return known
        # Looking through all widgets takes its time, so all of their names are kept.
        self._found = {}
        for widget in slicer.util.findChildren(self.widget.parent):
            self._found.setdefault(widget.name, widget)
        assert name in self._found, f"The panel has no widget '{name}'."
        return self._found[name]

    def shows(self, name: str) -> bool:
        """Whether a widget can be seen in the panel, as far as the panel itself can be."""
        return self.find(name).isVisibleTo(self.widget.parent)

    def click(self, name: str) -> None:
        """Click a button, which must be there and enabled."""
        button = self.find(name)
        assert button.enabled, f"'{name}' cannot be clicked."
        button.click()

    @property
    def message(self) -> str:
        """What the line at the top says."""
        return self.widget.panel.message.text

    def ready(self) -> None:
        """Wait until there is an engine."""
        self.wait_until(lambda: self.session.client is not None, 60)

    def picture(self, path: Path, dark: bool, name: str = "") -> None:
        """Save how the panel, or one widget of it, looks in a palette."""
        widget = self.find(name) if name else self.widget.parent
        save_picture(widget, path, dark)
