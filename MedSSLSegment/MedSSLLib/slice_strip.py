"""The slices of a scan as a strip: which are done, which have something drawn, and where one is."""

from __future__ import annotations

from typing import Any, Optional

import qt

from MedSSLLib.slice_marks import SliceMarks

_WIDTH, _HEIGHT = 600, 14
_DONE, _OPEN, _HERE = "#2e9e5b", "#9a9a9a", "#d1495b"


def strip_of(marks: SliceMarks, here: Optional[int]) -> Any:
    """Paint the strip.

    Args:
        marks: which slices are done.
        here: the slice that is seen; None when it is outside the scan.

    Returns:
        A QPixmap that is stretched to the width at hand.
    """
    pixmap = qt.QPixmap(_WIDTH, _HEIGHT)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    count = marks.count
    gap = 1 if count * 3 <= _WIDTH else 0
    for index in range(count):
        left, right = index * _WIDTH // count, (index + 1) * _WIDTH // count
        done = index in marks.done
        # Done slices are also taller, so that the strip can be read without colors.
        top = 0 if done else 6
        painter.fillRect(left, top, right - left - gap, _HEIGHT - top, qt.QColor(_DONE if done else _OPEN))
    if here is not None:
        middle = (2 * here + 1) * _WIDTH // (2 * count)
        painter.fillRect(middle - 1, 0, 3, _HEIGHT, qt.QColor(_HERE))
    painter.end()
    return pixmap
