"""The watchdog finds what holds up the main thread, and says where it was."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import qt
from slicer_runtime.watchdog import Watchdog


def rest() -> None:
    time.sleep(0.25)


@contextmanager
def busy_computer() -> Iterator[None]:
    """Three other processes want each processor."""
    count = 3 * len(os.sched_getaffinity(0))
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    time.sleep(0.3)  # until they have started
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def work(seconds: float) -> None:
    """Take this much processor time."""
    started = time.thread_time()
    while time.thread_time() - started < seconds:
        pass


def test_a_slow_slot_is_found_with_the_place_where_it_was(application: Any) -> None:
    watchdog = Watchdog()
    application.set_watchdog(watchdog)
    called: list[int] = []
    qt.QTimer.singleShot(0, lambda: (rest(), called.append(1)))
    while not called:
        application.work()
    application.set_watchdog(None)
    watchdog.end()
    assert len(watchdog.delays) == 1
    assert 0.2 < watchdog.delays[0].busy_s < 1.0
    assert "rest" in watchdog.delays[0].stack


def test_a_slow_click_is_found_and_a_quick_one_is_not(application: Any) -> None:
    watchdog = Watchdog()
    application.set_watchdog(watchdog)
    for slow in (False, True):
        button = qt.QPushButton()
        button.clicked.connect(lambda *_, slow=slow: slow and rest())
        with application.watching():
            button.click()
    application.set_watchdog(None)
    watchdog.end()
    assert len(watchdog.delays) == 1


def test_threads_beside_the_main_thread_may_take_their_time(application: Any, watchdog: Watchdog) -> None:
    worker = threading.Thread(target=rest)
    worker.start()
    while worker.is_alive():
        application.work()
        time.sleep(0.01)
    assert watchdog.longest_s < watchdog.limit_s


def test_what_other_processes_take_of_the_computer_is_not_a_delay(
    application: Any, watchdog: Watchdog
) -> None:
    with busy_computer():
        begin = time.perf_counter()
        with application.watching():
            work(0.06)
        passed = time.perf_counter() - begin
    assert passed > watchdog.limit_s  # so that there was something to tell apart


def test_work_is_a_delay_on_a_busy_computer_too(application: Any) -> None:
    watchdog = Watchdog()
    application.set_watchdog(watchdog)
    with busy_computer(), application.watching():
        work(0.15)
    application.set_watchdog(None)
    watchdog.end()
    assert len(watchdog.delays) == 1
