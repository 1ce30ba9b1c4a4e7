"""A process is told from a later one with its number, and ended with all it started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import psutil
import pytest
from medssl.processes import end_tree, find_process, process_mark, started_by_ps

_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def _start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_process_keeps_its_mark_and_no_other_has_it() -> None:
    with _start("import time; time.sleep(600)") as other:
        mine, theirs = process_mark(os.getpid()), process_mark(other.pid)
        other.kill()
    assert mine == process_mark(os.getpid())
    assert mine != theirs
    assert find_process(os.getpid(), mine) == psutil.Process()
    assert find_process(os.getpid(), theirs) is None
    assert find_process(other.pid, theirs) is None
    assert process_mark(other.pid) is None
    assert find_process(None, None) is None
    assert find_process(other.pid, None) is None


@pytest.mark.skipif(shutil.which("ps") is None, reason="ps is not installed")
def test_ps_tells_when_a_process_was_started_in_the_same_words_whoever_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _start("import time; time.sleep(600)") as other:
        told = started_by_ps(other.pid)
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
        assert told is not None
        assert told == started_by_ps(other.pid)
        other.kill()
    assert started_by_ps(other.pid) is None


def test_a_dead_child_nobody_asked_about_is_no_living_process() -> None:
    with _start("pass") as child:
        mark = process_mark(child.pid)
        assert child.stdout is not None
        child.stdout.read()
        process = psutil.Process(child.pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            pass
        assert find_process(child.pid, mark) is None


def test_what_a_process_started_ends_with_it_even_when_it_is_stopped() -> None:
    with _start(_PARENT) as parent:
        assert parent.stdout is not None
        grandchild = psutil.Process(int(parent.stdout.readline()))
        psutil.Process(parent.pid).suspend()
        end_tree(psutil.Process(parent.pid))
        assert not psutil.pid_exists(parent.pid)
        assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
        end_tree(grandchild)
