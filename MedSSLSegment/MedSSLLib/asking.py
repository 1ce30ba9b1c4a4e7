"""Questions to the person. While Slicer tests itself nobody clicks, and each question has its own answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import qt
import slicer


def choose(
    title: str, text: str, answers: Sequence[str], while_testing: int, closing: Optional[int] = None
) -> int:
    """Ask with one button an answer.

    Args:
        title: of the window.
        text: the question.
        answers: on the buttons.
        while_testing: the answer that is taken under `slicer.app.testingEnabled()`.
        closing: the answer that closing the window means, or Escape, and that must not lose anything; the
            last one when it is left out.

    Returns:
        The place of the answer.
    """
    if slicer.app.testingEnabled():
        return while_testing
    closing = len(answers) - 1 if closing is None else closing
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.windowTitle = title
    box.text = text
    box.icon = qt.QMessageBox.Question
    buttons: list[Any] = []
    for index, words in enumerate(answers):
        role = qt.QMessageBox.RejectRole if index == len(answers) - 1 else qt.QMessageBox.AcceptRole
        buttons.append(box.addButton(words, role))
    box.setEscapeButton(buttons[closing])
    box.exec()
    clicked = box.clickedButton()
    answer = next((i for i, button in enumerate(buttons) if button == clicked), closing)
    box.deleteLater()  # the main window would keep it
    return answer


def folder(title: str, start: str = "") -> str:
    """Let the person choose a folder; '' when none was chosen, and always while testing."""
    if slicer.app.testingEnabled():
        return ""
    return str(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, start))


def file(title: str, kinds: str) -> str:
    """Let the person choose a file; '' when none was chosen, and always while testing.

    Args:
        title: of the window.
        kinds: as Qt's file dialog takes them, such as 'Models (*.zip)'.
    """
    if slicer.app.testingEnabled():
        return ""
    return str(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", kinds))


def new_file(title: str, name: str) -> str:
    """Let the person name a file to be written; '' when they did not, and always while testing."""
    if slicer.app.testingEnabled():
        return ""
    return str(qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, name))
