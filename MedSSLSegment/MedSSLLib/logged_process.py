"""A program beside Slicer whose lines are shown as they come, and that can be ended with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Optional

from MedSSLLib.background import Background
from MedSSLLib.signals import Signal

_PATIENCE_S = 5.0  # between asking a program to end and ending it


class LoggedProcess:
    """One program at a time.

    Attributes:
        line: (text) it printed a line.
        ended: (code, was_cancelled) it is over; the code is None when it could not be started.
    """

    def __init__(self, background: Background) -> None:
        self.line = Signal()
        self.ended = Signal()
        self._background = background
        self._process: Optional[subprocess.Popen[str]] = None
        self._cancelled = False

    @property
    def running(self) -> bool:
        """Whether a program runs."""
        return self._process is not None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program with these variables and no others.

        Raises:
            RuntimeError: one runs, which would be lost from sight.
        """
        if self.running:
            raise RuntimeError("A program runs already.")
        self._cancelled = False
        detached: dict[str, Any] = {"start_new_session": True}  # a group of its own, to be ended as one
        if sys.platform == "win32":
            detached = {"creationflags": subprocess.CREATE_NO_WINDOW}
        try:
            process = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                **detached,
            )
        except OSError as error:
            self.line.emit(f"{command[0]}: {error}")
            self.ended.emit(None, False)
            return
        self._process = process
        self._background.listen()
        threading.Thread(target=self._read, args=(process,), name="MedSSL program", daemon=True).start()

    def cancel(self) -> None:
        """End the program and everything that it started."""
        if self._process is not None:
            self._cancelled = True
            process = self._process
            self._background.run(lambda: end_tree(process))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # it is a pipe, see above
        for line in process.stdout:
            text = line.rstrip()
            self._background.post(lambda text=text: self.line.emit(text))  # type: ignore[misc]  # bound now
        code = process.wait()
        self._background.post(lambda: self._end(code))

    def _end(self, code: int) -> None:
        self._process = None
        self._background.unlisten()
        self.ended.emit(code, self._cancelled)


def end_tree(process: subprocess.Popen[Any]) -> None:
    """Ask a program that was started in a group of its own to end, with its children; then make them."""
    if sys.platform == "win32":
        # The tree must still be whole, because Windows forgets who started whom.
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(process.pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=subprocess.CREATE_NO_WINDOW,
            check=False,
        )
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)  # SIGINT may be switched off for what a background job starts
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
