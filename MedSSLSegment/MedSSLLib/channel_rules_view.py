"""The window in which a person says which DICOM series of a study is which channel of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional

import qt
import slicer
from slicer.i18n import tr as _

from MedSSLLib.channel_rules import TEXTS, Line, lines_of, rules_of
from MedSSLLib.problems import Problem
from MedSSLLib.sections import load_ui

if TYPE_CHECKING:
    from medssl.client import ModelChannels

_CHANNEL, _AGENT = 0, len(TEXTS) + 1
_CONTRASTS = (None, True, False)
_Save = Callable[[Optional[Mapping[str, Any]]], Any]


class ChannelRulesView:
    """Edits the conditions in place; nothing waits for the window.

    Args:
        title: names the model.
        save: lets rules count, or the usual ones again for None.
    """

    def __init__(self, title: str, save: _Save) -> None:
        self._save = save
        self._channels: tuple[str, ...] = ()
        self.dialog, self.ui = load_ui("ChannelRules")
        self.dialog.setParent(slicer.util.mainWindow(), qt.Qt.Dialog)
        self.dialog.windowTitle = title
        table: Any = self.ui.rulesTable
        self._table = table
        headings = [
            _("Channel"),
            _("Description"),
            _("But not"),
            _("Protocol"),
            _("Sequence"),
            _("Image type"),
            _("Modality"),
            _("Contrast agent"),
        ]
        table.columnCount = len(headings)
        table.setHorizontalHeaderLabels(headings)
        header = table.horizontalHeader()
        for column in range(len(headings)):
            stretched = column not in (_CHANNEL, _AGENT, TEXTS.index("modality") + 1)
            header.setSectionResizeMode(
                column, qt.QHeaderView.Stretch if stretched else qt.QHeaderView.ResizeToContents
            )
        table.verticalHeader().visible = False
        self.ui.addRuleButton.clicked.connect(lambda *_: self._add())
        self.ui.removeRuleButton.clicked.connect(lambda *_: self._remove())
        self.ui.usualRulesButton.clicked.connect(lambda *_: self._save(None))
        self.ui.saveRulesButton.clicked.connect(lambda *_: self._save_all())
        self.ui.closeRulesButton.clicked.connect(lambda *_: self.dialog.hide())
        table.itemSelectionChanged.connect(self._allow)
        self.dialog.resize(820, 300)

    def show(self, found: ModelChannels) -> None:
        """Show rules, and open the window."""
        self._channels = found.channels
        self._fill(lines_of(found))
        usual = _("These are the usual rules: the name of a channel is looked for, as a word of its own.")
        own = _("These are the model's own rules. They count for every folder from now on.")
        self.ui.rulesStateLabel.text = own if found.own else usual
        self.ui.usualRulesButton.enabled = found.own
        self.ui.rulesProblemLabel.visible = False
        self.dialog.show()
        self.dialog.raise_()

    def tell(self, error: Exception) -> None:
        """Say in the window why the rules do not count."""
        self.ui.rulesProblemLabel.text = str(error)
        self.ui.rulesProblemLabel.visible = True

    def close(self) -> None:
        """Close the window for good."""
        self.dialog.hide()
        self.dialog.deleteLater()

    def _fill(self, lines: tuple[Line, ...]) -> None:
        self._table.rowCount = 0
        self._table.rowCount = len(lines)
        for row, line in enumerate(lines):
            name = qt.QTableWidgetItem(line.channel)
            name.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            self._table.setItem(row, _CHANNEL, name)
            for column, text in enumerate(line.texts, 1):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                self._table.setItem(row, column, item)
            agent = qt.QComboBox()
            for words in (_("any"), _("with"), _("without")):
                agent.addItem(words)
            agent.currentIndex = _CONTRASTS.index(line.contrast)
            agent.objectName = f"ruleContrast{row}"
            self._table.setCellWidget(row, _AGENT, agent)
        self._allow()

    def _lines(self) -> tuple[Line, ...]:
        table = self._table
        return tuple(
            Line(
                table.item(row, _CHANNEL).text(),
                tuple(table.item(row, column).text().strip() for column in range(1, _AGENT)),
                _CONTRASTS[table.cellWidget(row, _AGENT).currentIndex],
            )
            for row in range(table.rowCount)
        )

    def _add(self) -> None:
        """Put an empty line below the selected one, for the same channel."""
        lines = self._lines()
        row = max(0, self._table.currentRow())
        added = Line(lines[row].channel)
        self._fill((*lines[: row + 1], added, *lines[row + 1 :]))
        self._table.setCurrentCell(row + 1, 1)
        self._table.editItem(self._table.item(row + 1, 1))

    def _remove(self) -> None:
        row = self._table.currentRow()
        lines = self._lines()
        self._fill((*lines[:row], *lines[row + 1 :]))

    def _save_all(self) -> None:
        self._table.setCurrentCell(-1, -1)  # what is being typed counts too
        try:
            rules = rules_of(self._lines(), self._channels)
        except Problem as problem:
            self.tell(problem)
            return
        self._save(rules)

    def _allow(self) -> None:
        """The last line of a channel stays."""
        row, table = self._table.currentRow(), self._table
        names = [table.item(line, _CHANNEL).text() for line in range(table.rowCount)]
        self.ui.removeRuleButton.enabled = 0 <= row < len(names) and names.count(names[row]) > 1
        self.ui.addRuleButton.enabled = bool(names)
