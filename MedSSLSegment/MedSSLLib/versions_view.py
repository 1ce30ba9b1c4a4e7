"""The window with all versions of a case's annotation; any of them can count again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSSLLib import table_rows
from MedSSLLib.sections import load_ui

if TYPE_CHECKING:
    from medssl.client import Annotation


class VersionsView:
    """Shows versions, the newest first; nothing waits for the window."""

    def __init__(self, case: str, versions: tuple[Annotation, ...], restore: Callable[[int], Any]) -> None:
        self._restore = restore
        self.dialog, ui = load_ui("Versions")
        self.dialog.setParent(slicer.util.mainWindow(), qt.Qt.Dialog)
        self.dialog.windowTitle = _("Versions of '{case}'").format(case=case)
        self.table: Any = ui.versionsTable
        self.button: Any = ui.restoreVersionButton
        headings = [_("Version"), _("How"), _("By"), _("Time spent"), _("When")]
        table_rows.prepare(self.table, headings, stretched=(1,), right=(0, 3))
        self.button.clicked.connect(lambda *_: self._restore_chosen())
        ui.closeVersionsButton.clicked.connect(lambda *_: self.dialog.hide())
        self.table.itemSelectionChanged.connect(self._allow)
        newest = list(reversed(versions))
        self._current = next((each.version for each in newest if not each.withdrawn), 0)
        table_rows.show(self.table, [self._row(each) for each in newest])
        self.dialog.resize(620, 320)
        self._allow()

    def show(self) -> None:
        """Open the window."""
        self.dialog.show()
        self.dialog.raise_()

    def close(self) -> None:
        """Close the window for good."""
        self.dialog.hide()
        self.dialog.deleteLater()

    def _row(self, each: Annotation) -> table_rows.Row:
        how = {
            "drawn": _("drawn"),
            "accepted": _("accepted as proposed"),
            "corrected": _("corrected proposal"),
        }.get(each.kind, each.kind)
        if each.restored_from is not None:
            how = _("{how}, from version {version}").format(how=how, version=each.restored_from)
        if each.version == self._current:
            how = _("{how} (counts now)").format(how=how)
        if each.withdrawn:
            how = _("{how} (taken back)").format(how=how)
        spent = "" if each.seconds is None else _("{minutes:.1f} min").format(minutes=each.seconds / 60)
        return table_rows.Row(
            str(each.version), (str(each.version), how, each.author, spent, _moment(each.created))
        )

    def _allow(self) -> None:
        chosen = table_rows.chosen_keys(self.table)
        self.button.enabled = bool(chosen) and chosen[0] != str(self._current)

    def _restore_chosen(self) -> None:
        chosen = table_rows.chosen_keys(self.table)
        if chosen:
            self.dialog.hide()
            self._restore(int(chosen[0]))


def _moment(text: str) -> str:
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return when.astimezone().strftime("%Y-%m-%d %H:%M")
