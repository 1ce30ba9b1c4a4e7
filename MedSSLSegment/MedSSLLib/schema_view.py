"""The table in which a person edits the segments of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from MedSSLLib import terminology
from MedSSLLib.problems import Problem
from MedSSLLib.schema_logic import SegmentDraft, added
from MedSSLLib.table_rows import fit_height

_COLOR, _NAME, _VALUE, _CODE, _LARGEST = range(5)
_MOST_ROWS = 8


class SchemaView:
    """Edits segments in place; reading `segments` gives what is in the table now.

    Args:
        table: a QTableWidget.
        add_button: adds a segment.
        remove_button: removes the selected one, as long as no project has it.
        codes: codes to choose from, by what a person reads.
    """

    def __init__(
        self, table: Any, add_button: Any, remove_button: Any, codes: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._table, self._remove = table, remove_button
        self._codes = dict(codes)
        self._drafts: list[SegmentDraft] = []
        table.columnCount = 5
        table.setHorizontalHeaderLabels([_("Color"), _("Name"), _("Value"), _("Code"), _("One part")])
        table.horizontalHeaderItem(_LARGEST).setToolTip(
            _("Keep only the largest connected part of what a model draws")
        )
        table.horizontalHeaderItem(_VALUE).setToolTip(_("The number in files; it never changes"))
        header = table.horizontalHeader()
        for column in range(5):
            mode = qt.QHeaderView.Stretch if column == _NAME else qt.QHeaderView.ResizeToContents
            header.setSectionResizeMode(column, mode)
        table.verticalHeader().visible = False
        add_button.clicked.connect(lambda *_: self._add())
        remove_button.clicked.connect(lambda *_: self._remove_chosen())
        table.itemSelectionChanged.connect(self._allow)
        self._allow()

    def show(self, segments: Sequence[SegmentDraft]) -> None:
        """Put segments into the table."""
        self._drafts = list(segments)
        for each in segments:
            if each.terminology:
                self._codes.setdefault(terminology.label_of(each.terminology), each.terminology)
        self._table.rowCount = 0
        self._table.rowCount = len(segments)
        for row, each in enumerate(segments):
            self._fill(row, each)
        fit_height(self._table, _MOST_ROWS)
        self._allow()

    @property
    def segments(self) -> tuple[SegmentDraft, ...]:
        """What is in the table now."""
        return tuple(self._read(row) for row in range(len(self._drafts)))

    def _fill(self, row: int, draft: SegmentDraft) -> None:
        color = ctk.ctkColorPickerButton()
        color.displayColorName = False
        color.color = qt.QColor(*draft.color)
        color.objectName = f"segmentColor{row}"
        self._table.setCellWidget(row, _COLOR, color)
        name = qt.QTableWidgetItem(draft.name)
        self._table.setItem(row, _NAME, name)
        value = qt.QTableWidgetItem(str(draft.value))
        value.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
        value.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        self._table.setItem(row, _VALUE, value)
        codes = qt.QComboBox()
        codes.objectName = f"segmentCode{row}"
        codes.addItem(_("none"))
        for label in self._codes:
            codes.addItem(label)
        codes.currentText = terminology.label_of(draft.terminology) or _("none")
        codes.toolTip = codes.currentText
        codes.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
        codes.minimumContentsLength = 9
        self._table.setCellWidget(row, _CODE, codes)
        largest = qt.QTableWidgetItem("")
        largest.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
        largest.setCheckState(qt.Qt.Checked if draft.largest_component else qt.Qt.Unchecked)
        self._table.setItem(row, _LARGEST, largest)

    def _read(self, row: int) -> SegmentDraft:
        color = self._table.cellWidget(row, _COLOR).color
        code = self._table.cellWidget(row, _CODE).currentText
        return replace(
            self._drafts[row],
            name=self._table.item(row, _NAME).text().strip(),
            color=(color.red(), color.green(), color.blue()),
            terminology=self._codes.get(code),
            largest_component=self._table.item(row, _LARGEST).checkState() == qt.Qt.Checked,
        )

    def _add(self) -> None:
        try:
            self.show(added(self.segments))
        except Problem:
            return  # the table is as long as it can be
        last = len(self._drafts) - 1
        self._table.setCurrentCell(last, _NAME)
        self._table.editItem(self._table.item(last, _NAME))

    def _remove_chosen(self) -> None:
        row = self._table.currentRow()
        if 0 <= row < len(self._drafts) and self._drafts[row].is_new:
            self.show([each for index, each in enumerate(self.segments) if index != row])

    def _allow(self) -> None:
        row = self._table.currentRow()
        self._remove.enabled = 0 <= row < len(self._drafts) and self._drafts[row].is_new
