"""The list of jobs: what runs, what waits, what became of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from MedSSLLib import table_rows
from MedSSLLib.jobs_track import Track, moment, state_words
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal

_ROWS = 5


class Jobs(Protocol):
    """What the list needs; `MedSSLLib.jobs_logic.JobsLogic` has it."""

    listed: Signal
    told: Signal

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The jobs, the newest first."""

    def track(self, job: str) -> Optional[Track]:
        """Return what is known of a job."""

    def attend(self) -> None:
        """Look for the jobs of others too."""

    def leave(self) -> None:
        """Look for them no more."""

    def cancel(self, job: str) -> None:
        """Ask a job to stop."""

    def resume(self, job: str) -> None:
        """Go on with a job."""

    def log(self, job: str, done: Callable[[str], Any]) -> None:
        """Get the end of a job's log."""


class JobsView:
    """Jobs with their state and their progress; the selected one can be cancelled, resumed, or read about."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.widget, self.ui = load_ui("Jobs")
        table_rows.prepare(self.ui.jobsTable, [_("Job"), _("State"), _("Left"), _("Begun")], stretched=(1,))
        self.ui.jobsTable.itemSelectionChanged.connect(self._allow)
        self.ui.cancelJobButton.clicked.connect(lambda *_: self._with_chosen(jobs.cancel))
        self.ui.resumeJobButton.clicked.connect(lambda *_: self._with_chosen(jobs.resume))
        self.ui.jobLogButton.clicked.connect(lambda *_: self._with_chosen(self._show_log))
        jobs.listed.connect(self._show)
        jobs.told.connect(lambda track: self._show())
        self._show()

    def _show(self) -> None:
        tracks = self._jobs.tracks
        table_rows.show(self.ui.jobsTable, [_row(track) for track in tracks])
        table_rows.fit_height(self.ui.jobsTable, _ROWS)
        self.ui.jobsTable.visible = bool(tracks)
        self.ui.noJobsLabel.visible = not tracks
        self._allow()

    def _chosen(self) -> Optional[Track]:
        keys = table_rows.chosen_keys(self.ui.jobsTable)
        return self._jobs.track(keys[0]) if keys else None

    def _allow(self) -> None:
        track = self._chosen()
        self.ui.cancelJobButton.enabled = track is not None and not track.over and track.state != "cancelling"
        self.ui.resumeJobButton.enabled = track is not None and track.can_resume
        self.ui.jobLogButton.enabled = track is not None
        reason = "" if track is None else (track.job.error or track.problem)
        remedy = "" if track is None else track.job.remedy
        self.ui.jobReasonLabel.text = f"{reason} {remedy}".strip()
        self.ui.jobReasonLabel.visible = bool(reason)

    def _with_chosen(self, do: Callable[[str], Any]) -> None:
        track = self._chosen()
        if track is not None:
            do(track.job.id)

    def _show_log(self, job: str) -> None:
        self._jobs.log(job, lambda text: show_text(_("Log of the job {job}").format(job=job), text))


def show_text(title: str, text: str) -> Any:
    """Show a long text in a window of its own, which nothing waits for."""
    window = qt.QDialog(slicer.util.mainWindow())
    window.windowTitle = title
    window.setAttribute(qt.Qt.WA_DeleteOnClose)
    window.resize(760, 480)
    editor = qt.QPlainTextEdit(window)
    editor.readOnly = True
    editor.lineWrapMode = qt.QPlainTextEdit.NoWrap
    editor.plainText = text or _("There is no log yet.")
    layout = qt.QVBoxLayout(window)
    layout.addWidget(editor)
    window.show()
    bar = editor.verticalScrollBar()
    bar.value = bar.maximum
    return window


def _row(track: Track) -> table_rows.Row:
    error = track.job.error or track.problem
    return table_rows.Row(
        key=track.job.id,
        cells=(
            track.title,
            track.doing if not track.problem else state_words("interrupted"),
            track.left,
            moment(track.job.created),
        ),
        tip=error or track.job.id,
    )
