"""Rows of a table widget that change often: written in place, so that nothing flickers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import qt


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        key: what the line stands for; unique in its table.
        cells: texts, one a column.
        tip: shown when the mouse rests on the line, and told by a screen reader.
    """

    key: str
    cells: tuple[str, ...]
    tip: str = ""


def prepare(table: Any, headings: Sequence[str], stretched: Sequence[int], right: Sequence[int] = ()) -> None:
    """Set a table up for whole rows that are read and not edited.

    Args:
        table: a QTableWidget.
        headings: one a column.
        stretched: the columns that share the room that is left.
        right: columns of numbers.
    """
    table.columnCount = len(headings)
    table.setHorizontalHeaderLabels(list(headings))
    header = table.horizontalHeader()
    for column in range(len(headings)):
        mode = qt.QHeaderView.Stretch if column in stretched else qt.QHeaderView.ResizeToContents
        header.setSectionResizeMode(column, mode)
        side = qt.Qt.AlignRight if column in right else qt.Qt.AlignLeft
        table.horizontalHeaderItem(column).setTextAlignment(side | qt.Qt.AlignVCenter)
    table.setProperty("rightColumns", list(right))
    table.verticalHeader().visible = False
    header.setHighlightSections(False)


def show(table: Any, rows: Sequence[Row]) -> None:
    """Make the rows those of the table; the one that was selected stays so, wherever it is now."""
    chosen = chosen_keys(table)
    right = [int(column) for column in table.property("rightColumns") or ()]
    blocked = table.blockSignals(True)
    table.rowCount = len(rows)
    height = _line_height(table)
    for number, row in enumerate(rows):
        if table.rowHeight(number) != height:
            table.setRowHeight(number, height)
        for column, text in enumerate(row.cells):
            item = table.item(number, column)
            if item is None:
                item = qt.QTableWidgetItem()
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                if column in right:
                    item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
                table.setItem(number, column, item)
            if item.text() != text:
                item.setText(text)
            if item.toolTip() != row.tip:
                item.setToolTip(row.tip)
                item.setData(qt.Qt.AccessibleDescriptionRole, row.tip)
            if column == 0:
                item.setData(qt.Qt.UserRole, row.key)
    if chosen != chosen_keys(table):
        choose(table, chosen)
    table.blockSignals(blocked)


def key_at(table: Any, row: int) -> str:
    """Return what a line stands for; empty when there is no such line."""
    item = table.item(row, 0)
    return "" if item is None else str(item.data(qt.Qt.UserRole))


def chosen_keys(table: Any) -> tuple[str, ...]:
    """Return what the selected lines stand for, from top to bottom."""
    rows = sorted({index.row() for index in table.selectionModel().selectedRows()})
    return tuple(key_at(table, row) for row in rows)


def choose(table: Any, keys: Sequence[str]) -> None:
    """Select the lines that stand for some keys, and no others."""
    table.clearSelection()
    selection = table.selectionModel()
    for row in range(table.rowCount):
        if key_at(table, row) in keys:
            index = table.model().index(row, 0)
            selection.select(index, qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows)


def fit_height(table: Any, most_rows: int, least_rows: int = 1) -> None:
    """Give a table the height of its rows, but room for so many at most and at least."""
    shown = max(least_rows, min(most_rows, table.rowCount))
    rows = shown * (table.rowHeight(0) if table.rowCount else _line_height(table))
    table.setFixedHeight(rows + table.horizontalHeader().sizeHint.height() + 2 * table.frameWidth)


def _line_height(table: Any) -> int:
    return int(table.fontMetrics().height() * 1.6)
