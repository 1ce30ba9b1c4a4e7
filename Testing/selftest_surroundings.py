"""What the self-test has around it: pictures, short trainings, and all that is a person's own put aside."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qt
import slicer

_GROUP = "MedSSL/"  # of the settings
_STATE = "XDG_STATE_HOME"  # on Linux, where engines tell that they run


class Dialogs:
    """Closes every window that waits for a click, which would be for ever, and remembers it as a mistake."""

    def __init__(self) -> None:
        self.seen = ""
        self._timer = qt.QTimer()
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self._look)

    def watch(self) -> None:
        """Look from now on."""
        self._timer.start()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def _look(self) -> None:
        window = slicer.app.activeModalWidget()
        if window is not None:
            text = getattr(window, "text", "")  # of a QMessageBox
            self.seen = f"'{window.windowTitle}' {text if isinstance(text, str) else ''}".strip()
            window.close()


class _Memory:
    """What the modules remember, put aside, but for which engine is set up."""

    def __init__(self) -> None:
        settings = qt.QSettings()
        self._kept = {key: settings.value(key) for key in self._keys()}
        for key in self._kept:
            settings.remove(key)

    def restore(self) -> None:
        """Remember what was remembered before."""
        settings = qt.QSettings()
        for key in self._keys():
            settings.remove(key)
        for key, value in self._kept.items():
            settings.setValue(key, value)

    def _keys(self) -> list[str]:
        keys = [str(key) for key in qt.QSettings().allKeys()]
        return [key for key in keys if key.startswith(_GROUP) and not key.startswith(f"{_GROUP}engine.")]


class Pictures:
    """Pictures of the window, numbered; `wanted` if a folder for them was named."""

    def __init__(self, folder: str) -> None:
        self.wanted = bool(folder)
        self._folder = Path(folder)
        self._taken = 0

    def save(self, what: str) -> bool:
        """Save how the window looks now; whether that worked."""
        if not self.wanted:
            return True
        self._taken += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._taken:02d}-{what}.png"
        return bool(slicer.util.mainWindow().grab().save(str(path)))


def shorten_trainings(seconds: float) -> None:
    """Have every effort mean the same few seconds, whatever the computer."""
    from MedSSLLib import backend

    client = backend.client_package().Client
    options = client.options

    def shortened(self: Any) -> Any:
        found = options(self)
        efforts = tuple(dataclasses.replace(effort, **short(effort)) for effort in found.efforts)
        return dataclasses.replace(found, efforts=efforts)

    def short(effort: Any) -> dict[str, Any]:
        kinds = ("train", "refine", "pretrain")
        return {kind: {**getattr(effort, kind), "seconds": seconds, "steps": None} for kind in kinds}

    client.options = shortened


dialogs = Dialogs()


@contextmanager
def apart() -> Iterator[None]:
    """Open no project of the person's, end no engine that runs for them, and remember nothing of the test."""
    memory = _Memory()
    state = tempfile.mkdtemp(prefix="medssl-self-test-")
    own = os.environ.setdefault(_STATE, state) == state
    dialogs.watch()
    try:
        yield
    finally:
        dialogs.stop()
        memory.restore()
        if own:
            del os.environ[_STATE]
        for _try in range(20):
            shutil.rmtree(state, ignore_errors=True)
            if not Path(state).exists():
                break
            time.sleep(0.1)  # an engine that ends still writes there


def removed(folder: Path) -> bool:
    """Remove a folder, or what of it can be removed already."""
    shutil.rmtree(str(folder), ignore_errors=True)
    return not folder.exists()
