"""Work beside the main thread goes on although the event loop keeps the interpreter lock, as in 3D Slicer."""

from __future__ import annotations

import ctypes
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from MedSSLLib import asking
from MedSSLLib.background import Background
from MedSSLLib.signals import Signal
from panels import person_answers

WAIT_S = 20.0
STEP_US = 10_000


@pytest.fixture
def background(application) -> Iterator[Background]:
    application.application.processEvents()  # what the window's first moments bring is not measured
    background = Background()
    yield background
    background.close()


def turn_until(application, done: Callable[[], bool]) -> float:
    """Process events as Slicer does: between them, a wait that does not give up the interpreter lock.

    Returns how long the events of a turn take, in seconds: the median, because other programs of the computer
    stop this one now and then.
    """
    keep_lock = ctypes.PyDLL(None).usleep
    end = time.monotonic() + WAIT_S
    turns = [0.0]
    while not done():
        assert time.monotonic() < end, "nothing came back"
        keep_lock(STEP_US)
        begin = time.perf_counter()
        application.application.processEvents()
        turns.append(time.perf_counter() - begin)
    return statistics.median(turns)


def test_a_computation_is_done_in_a_thread_and_answered_on_the_main_thread(application, background) -> None:
    worked_in: list[int] = []
    answered_in: list[int] = []
    sums: list[int] = []

    def work() -> int:
        worked_in.append(threading.get_ident())
        return sum(range(300_000))

    def take(answer: int) -> None:
        sums.append(answer)
        answered_in.append(threading.get_ident())

    background.run(work, take)
    usual = turn_until(application, lambda: bool(sums))
    assert sums == [44_999_850_000]
    assert answered_in == [threading.get_ident()]
    assert worked_in != answered_in
    assert usual < 0.02


def test_an_error_comes_back_as_what_it_was(application, background) -> None:
    errors: list[Exception] = []
    background.run(lambda: 1 // 0, lambda _: pytest.fail("there is no answer"), errors.append)
    turn_until(application, lambda: bool(errors))
    assert isinstance(errors[0], ZeroDivisionError)


def test_the_answer_of_a_cancelled_task_is_dropped(application, background) -> None:
    answers: list[str] = []
    background.run(lambda: "forgotten", answers.append).cancel()
    background.run(lambda: time.sleep(0.1) or "kept", answers.append)
    turn_until(application, lambda: bool(answers))
    assert answers == ["kept"]


def test_a_broken_receiver_does_not_keep_later_answers_away(application, background) -> None:
    answers: list[str] = []
    background.run(lambda: "first", lambda _: 1 // 0)
    background.run(lambda: time.sleep(0.1) or "second", answers.append)
    turn_until(application, lambda: bool(answers))
    assert answers == ["second"]


def test_other_answers_come_while_a_question_that_an_answer_brought_is_open(
    application, background, monkeypatch
) -> None:
    from PySide6 import QtCore

    told: list[str] = []
    asked = threading.Event()

    def work() -> str:
        asked.wait(WAIT_S)
        return "while it was open"

    def ask(_answer: None) -> None:
        asked.set()
        asking.choose("Title", "Save it?", ("Save", "Cancel"), while_testing=0)
        told.append("answered")

    def look(box: object, looks: int = 300) -> None:
        box.reject() if told or not looks else QtCore.QTimer.singleShot(10, lambda: look(box, looks - 1))

    with person_answers(monkeypatch, look):
        background.run(work, told.append)
        background.run(lambda: None, ask)
        turn_until(application, lambda: len(told) == 2)
    assert told == ["while it was open", "answered"]
    turn_until(application, lambda: not background._timer.active)


def test_an_idle_panel_takes_no_time_at_all(application, background) -> None:
    answers: list[int] = []
    background.run(lambda: 1, answers.append)
    turn_until(application, lambda: bool(answers))
    turn_until(application, lambda: not background._timer.active)


def test_threads_of_others_run_while_someone_listens(application, background) -> None:
    heard: list[int] = []

    def report() -> None:
        for number in range(5):
            time.sleep(0.01)
            background.post(lambda number=number: heard.append(number))

    background.listen()
    thread = threading.Thread(target=report)
    thread.start()
    turn_until(application, lambda: len(heard) == 5)
    thread.join()
    background.unlisten()
    assert heard == [0, 1, 2, 3, 4]


def test_a_request_to_nobody_fails_without_holding_up_the_views(application, background) -> None:
    errors: list[Exception] = []
    background.run(lambda: requests.get("http://127.0.0.1:9/", timeout=5), None, errors.append)
    usual = turn_until(application, lambda: bool(errors))
    assert isinstance(errors[0], requests.exceptions.ConnectionError)
    assert usual < 0.02


def test_a_receiver_that_leaves_during_an_emission_is_not_called() -> None:
    signal = Signal()
    called: list[str] = []

    def leave() -> None:
        called.append("first")
        signal.disconnect(second)

    def second() -> None:
        called.append("second")

    signal.connect(leave)
    signal.connect(leave)
    signal.connect(second)
    signal.emit()
    assert called == ["first"]


def test_who_only_listens_leaves_the_main_thread_alone_until_something_comes(application, background) -> None:
    told: list[int] = []
    background.listen()
    background.run(lambda: 1, told.append)
    turn_until(application, lambda: bool(told))
    turn_until(application, lambda: background._timer.interval > 50)
    background.post(lambda: told.append(2))
    turn_until(application, lambda: told == [1, 2])
    assert background._timer.interval < 20
    background.unlisten()
    turn_until(application, lambda: not background._timer.active)
