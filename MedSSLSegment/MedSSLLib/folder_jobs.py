"""Work in folders that a person chose: the engine of this computer is let into them first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from MedSSLLib.jobs_track import Track

if TYPE_CHECKING:
    from MedSSLLib.session import Session

_PATH_REFUSED = "path"  # the engine's code for a folder that it may not touch


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
        folders: which it reads and writes.
        begun: gets the job once the engine has taken it.
        failed: gets what kept the engine from taking it; left out, the panel says it.
    """
    attempt(
        session,
        folders,
        lambda refused: session.jobs.submit(request, begun, refused),
        failed or session.report,
    )


def attempt(
    session: Session,
    folders: Sequence[str],
    ask: Callable[[Callable[[Exception], Any]], Any],
    failed: Callable[[Exception], Any],
) -> None:
    """Ask the engine for something, again after each of the folders that it had to be let into.

    Args:
        session: of the panels.
        folders: which it needs; those of an engine on another computer cannot be opened to it from here.
        ask: asks, and has the callable that it is given called with what kept the engine from it.
        failed: gets what still does.
    """
    closed = [Path(folder) for folder in folders] if session.files.shares_disk else []

    def refused(error: Exception) -> None:
        # Which of the folders it was, the engine need not say: each is allowed once.
        if getattr(error, "code", "") == _PATH_REFUSED and closed:
            session.engine.allow(closed.pop(0), lambda: ask(refused), failed)
        else:
            failed(error)

    ask(refused)
