"""The table of cases: the home screen of a project, filled row by row as the rows are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

import qt
from slicer.i18n import tr as _

from MedSSLLib.case_pages import CasePages
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import CaseSummary

_NAME, _STATE, _SCORE, _ROLE, _MODEL = range(5)  # what matters least is where a narrow panel has no room
_SORTED_BY = {_NAME: "name", _STATE: "state", _SCORE: "uncertainty"}
_ICON = 44
_MOST_ROWS = 7
_MOST_SELECTED_AGAIN = 500  # one by one, and each takes as long as there are selected ones already
_WIDEST = 210  # of a column, whose longer names are cut and shown whole by the mouse


def state_words(state: str) -> str:
    """A state for a person, with a sign that needs no color."""
    return {
        "new": "\N{WHITE CIRCLE} " + _("not annotated"),
        "proposed": "\N{CIRCLE WITH LEFT HALF BLACK} " + _("to review"),
        "annotated": "\N{BLACK CIRCLE} " + _("annotated"),
        "rejected": "\N{MULTIPLICATION SIGN} " + _("rejected"),
    }[state]


def role_words(role: str) -> str:
    """A role for a person."""
    return {"training": _("training"), "validation": _("validation"), "excluded": _("excluded")}[role]


class CaseTable:
    """Shows `CasePages` in a QTableWidget.

    Attributes:
        chosen: `cases` are others.
        asked: (case) a row was double-clicked.
    """

    def __init__(self, table: Any, pages: CasePages) -> None:
        self.chosen = Signal()
        self.asked = Signal()
        self._table, self._pages = table, pages
        self._rows_of: dict[int, int] = {}
        self._icons: dict[int, Any] = {}
        self._blank = _blank()
        self._rows: tuple[int, ...] = ()  # that are selected
        self._kept: dict[int, int] = {}  # the rows of the selected cases by their ids
        self._go_on: Optional[Callable[[], None]] = None  # until all selected cases are known
        self._prepare()
        pages.reset.connect(self._reset)
        pages.filled.connect(lambda *_: self._filled())
        pages.pictured.connect(self._show_picture)
        pages.left.connect(self._leave)
        self._reset()

    @property
    def cases(self) -> tuple[CaseSummary, ...]:
        """The selected cases, from top to bottom; none while some of them are still to come."""
        if self._go_on is not None:
            return ()  # what is done to a part of the selection would be taken for done to all of it
        found = (self._pages.row(row) for row in self._rows)
        return tuple(case for case in found if case is not None)

    def _prepare(self) -> None:
        table = self._table
        table.columnCount = 5
        table.setHorizontalHeaderLabels([_("Scan"), _("State"), _("Uncertainty"), _("Use"), _("Model")])
        table.horizontalHeaderItem(_SCORE).setToolTip(
            _("Of the model's proposal: the part that it expects to have wrong, 0 to 1")
        )
        header = table.horizontalHeader()
        # Not stretched: in a narrow panel the name, which matters most, would be what has no room.
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setMaximumSectionSize(_WIDEST)
        header.setStretchLastSection(True)
        header.setDefaultAlignment(qt.Qt.AlignLeft | qt.Qt.AlignVCenter)
        table.horizontalHeaderItem(_SCORE).setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        header.setHighlightSections(False)
        header.setResizeContentsPrecision(0)  # of a thousand rows, only those that are seen are measured
        header.setSortIndicatorShown(True)
        header.setSortIndicator(_NAME, qt.Qt.AscendingOrder)
        header.sectionClicked.connect(self._sort)
        table.verticalHeader().visible = False
        table.verticalHeader().setDefaultSectionSize(_ICON + 4)
        table.iconSize = qt.QSize(_ICON, _ICON)
        table.verticalScrollBar().valueChanged.connect(lambda *_: self._fill())
        table.itemSelectionChanged.connect(self._selected)
        table.cellDoubleClicked.connect(self._ask)

    def _leave(self) -> None:
        """Forget what was known by the ids of another project's cases."""
        self._icons.clear()
        self._rows, self._kept, self._go_on = (), {}, None
        self.chosen.emit()

    def _reset(self) -> None:
        table, total = self._table, self._pages.total
        blocked = table.blockSignals(True)
        table.clearContents()
        table.rowCount = total
        table.blockSignals(blocked)
        self._rows_of = {}
        shown = max(1, min(_MOST_ROWS, total))
        frame = 2 * table.frameWidth + table.horizontalHeader().sizeHint.height()
        bar = table.horizontalScrollBar().sizeHint.height()  # for all columns in a narrow panel
        table.setFixedHeight(shown * (_ICON + 4) + frame + bar)
        self._fill()
        self._select_again()

    def _filled(self) -> None:
        self._fill()
        if self._go_on is not None:
            self._go_on()

    def _fill(self) -> None:
        if not self._pages.total:
            return
        first = max(0, self._table.rowAt(0))
        last = min(first + 2 * _MOST_ROWS, self._pages.total - 1)
        missing = [row for row in range(first, last + 1) if self._table.item(row, _NAME) is None]
        self._table.updatesEnabled = False
        for row in missing:
            case = self._pages.row(row)
            if case is not None:
                self._fill_row(row, case)
        self._table.updatesEnabled = True
        self._pages.show(first, last)

    def _fill_row(self, row: int, case: CaseSummary) -> None:
        self._rows_of[case.id] = row
        score = "" if case.score is None else f"{case.score:.2f}"
        texts = (case.name, state_words(case.state), score, role_words(case.role), case.model_id or "")
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            item.setToolTip(text)
            if column == _SCORE:
                item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            if case.role == "excluded":
                item.setForeground(self._table.palette.brush(qt.QPalette.Disabled, qt.QPalette.Text))
            self._table.setItem(row, column, item)
        self._set_icon(row, case.id)

    def _set_icon(self, row: int, case: int) -> None:
        icon = self._icons.get(case)
        if icon is None and self._pages.picture(case) is not None:
            icon = self._icons[case] = icon_of(self._pages.picture(case))
        if icon is None:
            icon = self._blank  # so that names stand in one line
        self._table.item(row, _NAME).setIcon(icon)

    def _show_picture(self, case: int) -> None:
        self._icons.pop(case, None)
        row = self._rows_of.get(case)
        known = None if row is None else self._pages.row(row)
        if row is not None and known is not None and known.id == case:
            self._set_icon(row, case)

    def _sort(self, column: int) -> None:
        key = _SORTED_BY.get(column)
        before = self._pages.filter
        header = self._table.horizontalHeader()
        if key is None:
            column = next(c for c, name in _SORTED_BY.items() if name == before.sort)
            descending = before.descending
        else:
            # The most uncertain first is what one looks for.
            descending = not before.descending if key == before.sort else key == "uncertainty"
            self._pages.narrow(sort=key, descending=descending)
        header.setSortIndicator(column, qt.Qt.DescendingOrder if descending else qt.Qt.AscendingOrder)

    def _selected(self) -> None:
        self._rows = tuple(sorted({index.row() for index in self._table.selectionModel().selectedRows()}))
        self._look_up()

    def _look_up(self) -> None:
        """Know the cases of the selected rows, also where the person never scrolled to."""
        to_come = self._pages.need(self._rows)
        # Should the rows change before that, nobody can tell any more which cases were meant.
        self._kept = {} if to_come else self._cases_of(self._rows)
        self._go_on = self._look_up if to_come else None
        self.chosen.emit()

    def _select_again(self) -> None:
        """Select the same cases after the rows changed, wherever they are now."""
        rows = self._pages.rows_of(self._kept)
        to_come = len(rows) < len(self._kept) and (
            self._pages.need(self._kept.values()) or self._pages.need(range(self._pages.total))
        )
        if len(rows) > _MOST_SELECTED_AGAIN and len(rows) < self._pages.total:
            rows = ()
        self._rows = rows
        if not to_come:
            self._kept = self._cases_of(rows)
        self._go_on = self._select_again if to_come else None
        self._highlight()
        self.chosen.emit()

    def _cases_of(self, rows: tuple[int, ...]) -> dict[int, int]:
        found = ((self._pages.row(row), row) for row in rows)
        return {case.id: row for case, row in found if case is not None}

    def _highlight(self) -> None:
        table = self._table
        blocked = table.blockSignals(True)
        table.clearSelection()
        if self._rows and len(self._rows) == table.rowCount:
            table.selectAll()
        else:
            selection = table.selectionModel()
            for row in self._rows:
                flags = qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows
                selection.select(table.model().index(row, 0), flags)
        table.blockSignals(blocked)

    def _ask(self, row: int, _column: int) -> None:
        case = self._pages.row(row)
        if case is not None:
            self.asked.emit(case)


def icon_of(picture: Optional[bytes]) -> Any:
    """Make a square icon of a PNG, so that all names begin in one line."""
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(picture))
    if pixmap.isNull():
        return _blank()
    fitted = pixmap.scaled(
        2 * _ICON, 2 * _ICON, qt.Qt.KeepAspectRatio, qt.Qt.SmoothTransformation
    )  # sharp on displays with many pixels too
    square = qt.QPixmap(2 * _ICON, 2 * _ICON)
    square.fill(qt.QColor(0, 0, 0))
    painter = qt.QPainter(square)
    left, top = (2 * _ICON - fitted.width()) // 2, (2 * _ICON - fitted.height()) // 2
    painter.drawPixmap(left, top, fitted)
    painter.end()
    return qt.QIcon(square)


def _blank() -> Any:
    pixmap = qt.QPixmap(_ICON, _ICON)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    return qt.QIcon(pixmap)
