"""Questions to a person: every click means what its button says, and no key loses anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import slicer
import slicer_runtime
from MedSSLLib import asking

SAVE, DISCARD, STAY = range(3)
Act = Callable[[object], None]


@pytest.fixture
def person(runtime: slicer_runtime.Runtime, monkeypatch: pytest.MonkeyPatch) -> Callable[[Act], None]:
    """Somebody who answers the next question: `person(lambda box: ...)`."""
    from PySide6 import QtCore, QtWidgets

    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)

    def answer(act: Act) -> None:
        def wait() -> None:
            box = QtWidgets.QApplication.activeModalWidget()
            act(box) if box is not None else QtCore.QTimer.singleShot(10, wait)

        QtCore.QTimer.singleShot(0, wait)

    return answer


def click(words: str) -> Act:
    return lambda box: next(button for button in box.buttons() if button.text == words).click()


def press(key: str) -> Act:
    from PySide6 import QtCore, QtTest

    return lambda box: QtTest.QTest.keyClick(box, getattr(QtCore.Qt.Key, f"Key_{key}"))


def ask() -> int:
    return asking.choose("Title", "Save it?", ("Save", "Discard", "Stay"), while_testing=SAVE, losing=DISCARD)


@pytest.mark.parametrize(
    ("act", "answer"),
    [
        (click("Save"), SAVE),
        (click("Discard"), DISCARD),
        (click("Stay"), STAY),
        (press("Return"), STAY),
        (press("Escape"), STAY),
    ],
)
def test_a_click_is_the_answer_and_a_key_loses_nothing(
    person: Callable[[Act], None], act: Act, answer: int
) -> None:
    person(act)
    assert ask() == answer


@pytest.mark.parametrize(
    ("answers", "losing", "expected"),
    [
        (("Save", "Discard", "Stay"), 1, ["AcceptRole", "DestructiveRole", "RejectRole"]),
        (("Save", "Cancel"), None, ["AcceptRole", "RejectRole"]),
        (("Delete", "Keep"), 0, ["DestructiveRole", "RejectRole"]),
    ],
)
def test_no_two_buttons_have_one_role(
    person: Callable[[Act], None], answers: tuple[str, ...], losing: int | None, expected: list[str]
) -> None:
    roles: dict[str, str] = {}

    def look(box: object) -> None:
        roles.update({button.text: box.buttonRole(button).name for button in box.buttons()})
        box.close()

    person(look)
    asking.choose("Title", "What?", answers, while_testing=0, losing=losing)
    assert [roles[each] for each in answers] == expected


def test_a_question_with_more_answers_than_roles_is_refused_also_while_testing() -> None:
    with pytest.raises(ValueError, match="too many for buttons"):
        asking.choose("Title", "As what?", ("ZIP", "ONNX", "Cancel"), while_testing=0)


def test_a_name_is_suggested_that_any_computer_can_write(person: Callable[[Act], None]) -> None:
    suggested: list[str] = []

    def act(dialog: object) -> None:
        suggested.append(Path(dialog.selectedFiles()[0]).name)
        dialog.reject()

    person(act)
    asking.new_file("Export", "Task01_Kidney: left / right")
    assert suggested == ["Task01_Kidney_ left _ right"]


@pytest.mark.parametrize(("accepted", "taken"), [(True, "onnx"), (False, "")])
def test_one_of_several_things_is_taken_from_a_list(
    person: Callable[[Act], None], accepted: bool, taken: str
) -> None:
    def act(dialog: object) -> None:
        assert dialog.textValue() == "MedSSL file"
        dialog.setTextValue("ONNX")
        dialog.done(int(accepted))

    person(act)
    kinds = {"zip": "MedSSL file", "onnx": "ONNX"}
    assert asking.pick("Title", "As what?", kinds, while_testing="zip") == taken
