"""What an engine notes for the next one: the projects in which a job waits or runs."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path

from medssl.errors import StorageError
from medssl.storage import write_text

_LOG = logging.getLogger(__name__)
_DAY_S = 24 * 3600.0
KEPT_S = 90 * _DAY_S
"""For so long a project that is out of reach is looked for; its drive may come back."""


class Memory:
    """The projects with unfinished jobs, in a file. Threads may share it.

    A project leaves it when it was seen that nothing waits or runs there. One that cannot be opened is away:
    whether its folder was deleted, or its drive is only not mounted, nobody can tell from here. It stays
    until it `arrived`, a person wants it forgotten, or nobody has seen a job there for `KEPT_S`.

    Args:
        file: keeps them, each with the time at which it was last known to have such jobs; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._away = set[Path]()
        self._noted: dict[Path, float] = {}

    def recall(self) -> list[Path]:
        """What earlier engines noted and is still looked for; it is away until `arrived` says otherwise."""
        found, now = _read(self._file), time.time()
        kept = [folder for folder, date in found.items() if now - date < KEPT_S]
        with self._lock:
            self._noted |= found
            self._away.update(kept)
        return kept

    def miss(self, folder: Path) -> None:
        """Remember a project that went away with an unfinished job."""
        with self._lock:
            self._away.add(folder)

    def arrived(self, folder: Path) -> None:
        """Whether something waits or runs in a project is known from now on, or of no interest."""
        with self._lock:
            self._away.discard(folder)

    def note(self, unfinished: set[Path]) -> None:
        """Write down the projects in which something waits or runs, and those that are away."""
        now = time.time()
        with self._lock:
            noted = {folder: self._noted.get(folder, now) for folder in self._away}
            noted |= dict.fromkeys(unfinished, now)
            known = self._noted.keys() == noted.keys()
            if self._file is None or (known and all(now - self._noted[each] < _DAY_S for each in unfinished)):
                return
            dates = {str(folder): noted[folder] for folder in sorted(noted)}
            try:
                write_text(self._file, json.dumps(dates, indent=2) + "\n")
                self._noted = noted
            except StorageError as error:
                _LOG.warning("%s", error)


def _read(file: Path | None) -> dict[Path, float]:
    """The folders in a file and their times; older versions wrote a list of folders."""
    if file is None:
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        dates = found if isinstance(found, dict) else dict.fromkeys(found, time.time())
        return {Path(folder): float(date) for folder, date in dates.items()}
    except (OSError, ValueError, TypeError):  # missing or damaged: nothing is noted
        return {}
