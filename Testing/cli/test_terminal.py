"""What a real terminal of 80 columns gets to show while a job runs."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals in Python", allow_module_level=True)

import fcntl
import pty
import termios

_BACKEND = Path(__file__).parents[2] / "backend"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])[0-9;]*m")
_JOB = """
from medssl.cli.display import make_display
from medssl.events import Log, Metric, Progress
with make_display(as_json=False) as display:
    display.heading("3 of 8  Train")
    display.show(Log(text="A sentence that is longer than this terminal is wide, " * 3, level="warning"))
    for done in range(5):
        display.show(Progress(stage="training", done=done, total=4, left_s=3725))
        for name in ("loss", "segmentation", "level_set", "consistency", "Dice of the left kidney"):
            display.show(Metric(name=name, value=0.123456, step=done))
        display._live.refresh()
    print("The answer.")
"""


def _shown_by(program: str, **variables: str) -> str:
    """Run a program on a terminal of its own; everything that it writes there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    environment = {**plain, "TERM": "xterm-256color", "PYTHONPATH": str(_BACKEND), **variables}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    written = b""
    while True:
        try:
            part = os.read(master, 1 << 16)
        except OSError:  # the last program on the terminal has gone
            break
        if not part:
            break
        written += part
    os.close(master)
    assert process.wait() == 0, written.decode()
    return written.decode()


def test_bars_keep_to_their_lines_and_leave_a_terminal_in_order() -> None:
    shown = _shown_by(_JOB)

    lines = [line for part in shown.split("\n") for line in _ESCAPE.sub("", part).split("\r")]
    assert max(len(line) for line in lines) <= 80
    assert any(re.search(r"Training .*2 of 4 1 h 02 min left", line) for line in lines)
    assert any(line.startswith("  Training: 4 of 4 in ") for line in lines)
    assert sum("A sentence" in line for line in lines) >= 2  # broken between words, not cut
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back
    assert _COLOUR.search(shown)


def test_a_word_is_there_before_anything_has_happened() -> None:
    program = (
        "from medssl.cli.display import make_display\n"
        "with make_display(as_json=False) as display: display._live.refresh()"
    )

    assert "Starting ..." in _shown_by(program)


def test_a_terminal_without_colours_gets_none() -> None:
    assert not _COLOUR.search(_shown_by(_JOB, NO_COLOR="1"))


def test_a_terminal_without_the_letters_of_a_name_shows_their_numbers() -> None:
    program = "from medssl.cli.streams import prepare, put; prepare(); put('患者7')"

    assert "\\u60a3\\u80057" in _shown_by(program, PYTHONIOENCODING="cp1252")
