"""A job whose process is gone says why, as far as anybody can know, and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from medssl.jobs.endings import INTERRUPTED, lost
from medssl.jobs.launching import worker_environment


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (-9, "memory ran out"),
        (-11, "crashed (SIGSEGV)"),
        (-15, "ended from outside"),
        (-64 - 200, "crashed (signal 264)"),
        (0xC0000005, "crashed (0xc0000005)"),
        (1, "exit code 1"),
        (None, "suddenly"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows names few signals")
def test_each_way_to_die_has_its_sentence_and_its_remedy(exit_code: int | None, words: str) -> None:
    state = lost(exit_code, Path("job"))
    assert state.state == INTERRUPTED.state == "failed"
    assert words in state.error
    assert "esume" in state.remedy or "log.txt" in state.remedy


def test_a_worker_gets_nothing_that_leads_its_python_astray() -> None:
    slicer = {
        "PYTHONHOME": "/slicer",
        "PYTHONPATH": "/slicer/lib",
        "PATH": "/usr/bin",
        "PythonStartup": "x.py",
    }
    kept = worker_environment(slicer)
    assert "PYTHONHOME" not in kept
    assert "PythonStartup" not in kept
    assert "/slicer/lib" not in kept.get("PYTHONPATH", "")
    assert (kept["PATH"], kept["PYTHONSAFEPATH"]) == ("/usr/bin", "1")
