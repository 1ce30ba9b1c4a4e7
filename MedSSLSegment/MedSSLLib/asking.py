"""Questions to the person. While Slicer tests itself nobody clicks, and each question has its own answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import qt
import slicer

_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')


def choose(
    title: str,
    text: str,
    answers: Sequence[str],
    while_testing: int,
    closing: Optional[int] = None,
    losing: Optional[int] = None,
) -> int:
    """Ask with one button an answer.

    Args:
        title: of the window.
        text: the question.
        answers: on the buttons: the first does what the question is about, the last leaves all as it is.
        while_testing: the answer that is taken under `slicer.app.testingEnabled()`.
        closing: the answer that closing the window means, or Enter, or Escape, and that must not lose
            anything; the last one when it is left out.
        losing: the answer that loses something, if one does.

    Returns:
        The place of the answer.

    Raises:
        ValueError: there are more answers than buttons can have roles; `pick` asks for one of several things.
    """
    roles = [_role(place, losing) for place in range(len(answers))]
    if len(set(roles)) < len(roles):  # macOS may take a click for another button of the same role
        raise ValueError(f"{len(answers)} answers are too many for buttons.")
    if slicer.app.testingEnabled():
        return while_testing
    closing = len(answers) - 1 if closing is None else closing
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.windowTitle = title
    box.text = text
    box.icon = qt.QMessageBox.Question
    buttons = [box.addButton(words, role) for words, role in zip(answers, roles)]
    box.setDefaultButton(buttons[closing])
    box.setEscapeButton(buttons[closing])
    box.exec()
    clicked = box.clickedButton()
    answer = next((i for i, button in enumerate(buttons) if button == clicked), closing)
    box.deleteLater()  # the main window would keep it
    return answer


def _role(place: int, losing: Optional[int]) -> Any:
    if place == losing:
        return qt.QMessageBox.DestructiveRole
    return qt.QMessageBox.AcceptRole if place == 0 else qt.QMessageBox.RejectRole


def pick(title: str, text: str, kinds: Mapping[str, str], while_testing: str) -> str:
    """Let the person take one of several things, from a list.

    Args:
        title: of the window.
        text: the question.
        kinds: what each thing is called, each differently, by its name in the code; the first is suggested.
        while_testing: what is taken under `slicer.app.testingEnabled()`.

    Returns:
        The name in the code; '' when nothing was taken.
    """
    if slicer.app.testingEnabled():
        return while_testing
    dialog = qt.QInputDialog(slicer.util.mainWindow())
    dialog.windowTitle = title
    dialog.setLabelText(text)
    dialog.setComboBoxItems(list(kinds.values()))
    taken = dialog.textValue() if dialog.exec() else ""
    dialog.deleteLater()  # the main window would keep it
    return next((kind for kind, words in kinds.items() if words == taken), "")


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
    """Let the person name a file or folder to be written; '' when they did not, and always while testing.

    Args:
        title: of the window.
        name: that is suggested, without what file names cannot have on some computers.
    """
    if slicer.app.testingEnabled():
        return ""
    suggested = _NOT_IN_NAMES.sub("_", name)
    return str(qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, suggested))
