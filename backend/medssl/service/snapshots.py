"""What was just answered about a job, for the next who asks: many clients watch one at the same time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from medssl.jobs import SeenState
from medssl.service.views import JobView

Key: TypeAlias = tuple[Path, str]  # folder of the project, id of the job


@dataclass(frozen=True)
class Snapshot:
    """A job as it was at one moment: its state, and the whole answer about it as JSON."""

    state: SeenState
    content: str
    begun: float  # when it was looked up, on a clock that never jumps


class Snapshots:
    """The newest snapshot of each job. Threads may share it.

    A snapshot counts for a quarter of a second, so that the database and the files of a job are read four
    times a second at the most, however many ask. What this service itself changes about a job, or tells of it
    in another answer, must be looked up again, so that no answer takes back what an earlier one said; one
    that was looked up before the change never replaces one from after it.
    """

    def __init__(self, counts_s: float = 0.25, most: int = 256) -> None:
        """Keep `most` jobs, each for `counts_s` seconds."""
        self._counts_s, self._most = counts_s, most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Snapshot] = OrderedDict()

    def recent(self, key: Key) -> Snapshot | None:
        """Return the snapshot of a job; None when there is none or it is too old."""
        with self._lock:
            found = self._kept.get(key)
        return found if found is not None and time.monotonic() - found.begun < self._counts_s else None

    def look(self, key: Key, view: Callable[[], JobView]) -> Snapshot:
        """Look a job up and keep what is found."""
        begun = time.monotonic()
        return self._keep(key, view(), begun)

    def renew(self, key: Key, found: JobView, begun: float) -> None:
        """Keep what a list told of a job, if there is a snapshot of it.

        Args:
            key: of the job.
            found: what was told.
            begun: when the job was looked up, of `time.monotonic`.
        """
        with self._lock:
            known = key in self._kept
        if known:
            self._keep(key, found, begun)

    def _keep(self, key: Key, found: JobView, begun: float) -> Snapshot:
        snapshot = Snapshot(found.state, found.model_dump_json(), begun)
        with self._lock:
            known = self._kept.get(key)
            if known is None or known.begun <= begun:
                self._kept[key] = snapshot
                self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return snapshot
