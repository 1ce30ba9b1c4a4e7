"""Keys of the main window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import slicer
import slicer_runtime
from MedSSLLib.shortcuts import Shortcuts


@pytest.fixture
def pressed(runtime: slicer_runtime.Runtime) -> Iterator[list[str]]:
    """What the key 'A' did, which works."""
    done: list[str] = []
    shortcuts = Shortcuts()
    shortcuts.add("A", lambda: done.append("A"))
    shortcuts.allow("A", True)
    shortcuts.enter()
    yield done
    shortcuts.close()


def hold(repeats: int) -> None:
    """Press 'A' in the main window, and keep it down as long as a keyboard repeats it so often."""
    from PySide6 import QtCore, QtGui, QtTest, QtWidgets

    window = slicer.util.mainWindow()
    window.show()
    window.activateWindow()
    QtTest.QTest.qWaitForWindowActive(window)
    code, none = QtCore.Qt.Key_A, QtCore.Qt.NoModifier
    QtTest.QTest.keyPress(window, code)
    for _ in range(repeats):
        again = QtGui.QKeyEvent(QtCore.QEvent.KeyPress, code, none, "a", True)
        QtWidgets.QApplication.sendEvent(window.windowHandle(), again)
    QtTest.QTest.keyRelease(window, code)


def test_a_key_that_is_held_down_does_something_once(pressed: list[str]) -> None:
    hold(repeats=5)
    assert pressed == ["A"]
    hold(repeats=0)
    assert pressed == ["A", "A"]


def test_a_key_that_something_else_has_too_does_nothing_rather_than_every_other_time(
    pressed: list[str],
) -> None:
    from PySide6 import QtGui

    other = QtGui.QShortcut(QtGui.QKeySequence("A"), slicer.util.mainWindow())
    hold(repeats=0)
    hold(repeats=0)
    assert pressed == []
    other.setEnabled(False)
    hold(repeats=0)
    assert pressed == ["A"]
    other.deleteLater()
