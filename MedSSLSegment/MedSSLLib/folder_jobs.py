"""Jobs over folders that a person chose: the engine of this computer is let into them first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from MedSSLLib.jobs_track import Track

if TYPE_CHECKING:
    from MedSSLLib.session import Session


def submit(
    session: Session,
    request: Mapping[str, Any],
    folders: Sequence[str],
    begun: Optional[Callable[[Track], Any]] = None,
    failed: Optional[Callable[[Exception], Any]] = None,
) -> None:
    """Start a job; the engine of this computer is started anew for a folder that it may not touch yet.

    Args:
        session: of the panels.
        request: of the job.
        folders: which it reads and writes; one that is not there yet counts by the folder around it.
        begun: gets the job once the engine has taken it.
        failed: gets what kept the engine from taking it; left out, the panel says it.
    """
    local = session.files.shares_disk
    closed = [_present(Path(folder)) for folder in folders] if local else []

    def attempt() -> None:
        session.jobs.submit(request, begun, refused)

    def refused(error: Exception) -> None:
        # Which of the folders it was, the engine need not say: each is allowed once.
        if getattr(error, "code", "") == "path" and closed:
            session.engine.allow(closed.pop(0), attempt)
        else:
            (failed or session.report)(error)

    attempt()


def _present(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.is_dir()), folder)
