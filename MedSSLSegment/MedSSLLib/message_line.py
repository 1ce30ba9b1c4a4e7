"""The line at the top of a panel: one sentence about what happened, and what to do.

It keeps its place when there is nothing to tell: what lies below must not move under the mouse.
"""

from __future__ import annotations

import html
from typing import Any

import qt
from slicer.i18n import tr as _

# Told apart without color too: each grade begins with its own sign.
_SIGNS = {"info": "\N{INFORMATION SOURCE}", "warning": "\N{WARNING SIGN}", "error": "\N{HEAVY BALLOT X}"}
_COLORS = {"info": "#3b82c4", "warning": "#c98500", "error": "#d1495b"}
_INFO_MS = 12_000  # that something worked need not stay


class MessageLine:
    """Shows the last message; it goes by a click, and what only informs goes by itself.

    Attributes:
        text: of the message; empty when there is none.
        grade: of the message; empty when there is none.
    """

    def __init__(self) -> None:
        self.widget: Any = qt.QFrame()
        self.widget.objectName = "messageLine"
        row = qt.QHBoxLayout(self.widget)
        row.setContentsMargins(0, 2, 4, 2)
        self._bar: Any = qt.QFrame()
        self._bar.setFixedWidth(4)
        row.addWidget(self._bar)
        self.label: Any = qt.QLabel()
        self.label.objectName = "messageLabel"
        self.label.wordWrap = True
        self.label.textInteractionFlags = qt.Qt.TextSelectableByMouse
        row.addWidget(self.label, 1)
        self.closer: Any = qt.QToolButton()
        self.closer.objectName = "messageCloseButton"
        self.closer.text = "\N{MULTIPLICATION SIGN}"
        self.closer.toolTip = _("Close this message")
        self.closer.autoRaise = True
        keeps = self.closer.sizePolicy
        keeps.setRetainSizeWhenHidden(True)
        self.closer.sizePolicy = keeps
        self.closer.clicked.connect(lambda *_: self.clear())
        row.addWidget(self.closer)
        self.grade = ""
        self.text = ""
        self._hint = ""
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_INFO_MS)
        self._timer.timeout.connect(self.clear)
        self.clear()

    def show(self, text: str, remedy: str, grade: str) -> None:
        """Show a sentence; `grade` is 'info', 'warning' or 'error'."""
        self.text = f"{text} {remedy}".strip()
        self.grade = grade
        sign = f'<span style="color:{_COLORS[grade]}"><b>{_SIGNS[grade]}</b></span>'
        rest = f"<br>{html.escape(remedy)}" if remedy else ""
        self.label.text = f"{sign}&nbsp; {html.escape(text)}{rest}"
        # On the bar alone: a style sheet further up would keep the text's color when Slicer's style changes.
        self._bar.styleSheet = f"background: {_COLORS[grade]};"
        self.closer.visible = True
        self._timer.stop()
        if grade == "info":
            self._timer.start()

    def clear(self) -> None:
        """Show no message, but the hint."""
        self.text = self.grade = ""
        self._timer.stop()
        self._bar.styleSheet = ""
        self.closer.visible = False
        self._show_hint()

    def hint(self, text: str) -> None:
        """Show a line while there is no message."""
        self._hint = text
        if not self.text:
            self._show_hint()

    def _show_hint(self) -> None:
        self.label.text = f"<span>{html.escape(self._hint)}</span>" if self._hint else ""
