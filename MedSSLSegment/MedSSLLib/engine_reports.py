"""Reports that the engine writes, opened in the browser wherever they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import qt
import slicer
from slicer.i18n import tr as _

from MedSSLLib.jobs_track import Track
from MedSSLLib.problems import Problem

if TYPE_CHECKING:
    from medssl.client import Client

    from MedSSLLib.session import Session


def report_of(track: Optional[Track]) -> str:
    """Return the path of a job's report on the engine's computer; empty until there is one."""
    result = None if track is None else track.job.result
    return "" if result is None else str(result.get("report", ""))


def open_report(session: Session, track: Optional[Track]) -> None:
    """Show the report of a job in the browser; nothing happens until there is one."""
    report, files = report_of(track), session.files
    if not report or track is None:
        return
    journey = session.journeys.of(track.job.id)
    if journey is not None and journey.arrived:
        here = Path(journey.here) / Path(report).name
        session.background.run(lambda: _checked(here), _open_file, session.report)
        return

    def fetch(client: Client) -> str:
        if files.shares_disk and Path(report).is_file():
            return report
        # It stays for the browser, until the next one: Slicer itself never empties this folder.
        folder = files.temporary / "MedSSL-report"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return str(client.download(report, folder / Path(report).name))

    session.ask(fetch, _open_file)


def _checked(report: Path) -> str:
    """Look for a report, which the engine has no more; for a thread beside the main one.

    Raises:
        Problem: it is not there.
    """
    if not report.is_file():
        raise Problem(
            _("The report {path} is not there any more.").format(path=report),
            _("Look where it was moved, or do the same work once more."),
        )
    return str(report)


def _open_file(path: str) -> Any:
    if not slicer.app.testingEnabled():
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))
