"""How good a model is on the scans for validation: a part of the section Models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib import asking, table_rows
from MedSSLLib.engine_reports import report_of
from MedSSLLib.jobs_track import Track
from MedSSLLib.learning_choices import title_of
from MedSSLLib.plurals import plural
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Model

_ROWS = 8
_NEWEST = "latest"  # the engine's word for it, until it says which that was


class Scoring(Protocol):
    """Scores models; `MedSSLLib.scoring_logic.ScoringLogic`."""

    changed: Signal

    @property
    def track(self) -> Optional[Track]:
        """The job to show."""

    def look(self, done: Callable[[], Any]) -> None:
        """See whether there is anything to score a model on."""

    def start(self, model: str, folder: str) -> None:
        """Score a model."""

    def cancel(self) -> None:
        """Ask the job to stop."""

    def open_report(self) -> None:
        """Show the report."""


class ScoringView:
    """Shows the newest scores, and the way of those that are being made."""

    def __init__(self, ui: Any, logic: Scoring, find: Callable[[str], Optional[Model]]) -> None:
        """Fill a part of the section.

        Args:
            ui: the widgets of the section.
            logic: scores models.
            find: returns a model of the project by its id.
        """
        self.ui, self.logic, self._find = ui, logic, find
        self._model: Optional[Model] = None
        headings = [_("Segment"), _("Dice"), _("HD95 (mm)"), _("ASD (mm)")]
        table_rows.prepare(ui.scoresTable, headings, stretched=(0,), right=(1, 2, 3))
        ui.scoreModelButton.clicked.connect(lambda *_: self._begin())
        ui.cancelScoreButton.clicked.connect(lambda *_: logic.cancel())
        ui.scoreReportButton.clicked.connect(lambda *_: logic.open_report())
        logic.changed.connect(self.show)
        self.show()

    def choose(self, model: Optional[Model]) -> None:
        """Take the one selected model; None while there is no single one."""
        self._model = model
        self._allow()

    def show(self) -> None:
        """Show how the newest job goes or went."""
        ui, track = self.ui, self.logic.track
        ui.scoreFrame.visible = track is not None
        self._allow()
        if track is None:
            return
        ui.scoreLabel.text = self._sentence(track)
        ui.scoreBar.visible = not track.over
        ui.scoreBar.value = round(1000 * track.fraction)
        result = track.job.result if track.state == "finished" else None
        rows = [_row(segment) for segment in (result or {}).get("segments", ())]
        table_rows.show(ui.scoresTable, rows)
        table_rows.fit_height(ui.scoresTable, _ROWS)
        ui.scoresTable.visible = bool(rows)
        ui.cancelScoreButton.visible = not track.over
        ui.cancelScoreButton.enabled = track.state != "cancelling"
        ui.scoreReportButton.visible = bool(report_of(track))

    def _allow(self) -> None:
        model, track = self._model, self.logic.track
        usable = model is not None and model.can_segment and not model.problem
        self.ui.scoreModelButton.enabled = usable and (track is None or track.over)

    def _begin(self) -> None:
        """Score the model that is selected now, whatever is by the time there is an answer."""
        model = self._model

        def ask() -> None:
            folder = asking.folder(_("Folder for the table and the report"))
            if model is not None and folder:
                self.logic.start(model.id, folder)

        self.logic.look(ask)

    def _sentence(self, track: Track) -> str:
        """Say in a line which model is or was scored, and on what."""
        asked, result = track.job.request or {}, track.job.result or {}
        wanted = str(result.get("model_id") or asked.get("model", _NEWEST))
        model = self._find(wanted)
        gone = _("The newest model") if wanted == _NEWEST else _("A model that is gone")
        name = gone if model is None else title_of(model)
        if not track.over:
            left = f", {_('{time} left').format(time=track.left)}" if track.left else ""
            return f"{name}: {track.doing}{left}"
        if track.state != "finished":
            return f"{name}: {track.doing}. {track.job.error} {track.job.remedy}".strip()
        told = [name, _scans(int(result.get("cases", 0)), str(asked.get("role", "validation")))]
        more = {
            "seen": _("{count} of them seen in training without annotation"),
            "failed": _("{count} not scored"),
            "left_out": _("{count} left out (the report says why)"),
        }
        told += [words.format(count=len(result[key])) for key, words in more.items() if result.get(key)]
        return ", ".join(told)


def _scans(count: int, role: str) -> str:
    if role == "training":
        words = plural(count, _("on one scan that trained it"), _("on {count} scans that trained it"))
    else:
        words = plural(count, _("on one scan for validation"), _("on {count} scans for validation"))
    return str(words.format(count=count))


def _row(segment: Mapping[str, Any]) -> table_rows.Row:
    """One line a segment: means over the scans; what could not be measured is a dash."""

    def shown(key: str, digits: int) -> str:
        value = segment.get(key)
        return "–" if value is None else f"{value:.{digits}f}"

    missed = int(segment.get("missed", 0))
    words = plural(missed, _("Not found at all in one scan"), _("Not found at all in {count} scans"))
    name = str(segment["name"])
    cells = (name, shown("dice", 3), shown("hd95_mm", 1), shown("asd_mm", 2))
    return table_rows.Row(name, cells, words.format(count=missed) if missed else name)
