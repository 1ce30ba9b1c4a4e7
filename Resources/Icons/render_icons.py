"""Renders every icon of the extension from its SVG file beside it: `python Resources/Icons/render_icons.py`.

Needs PySide6-Essentials, which the tests install.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtSvg

SIDE = 128  # pixels, as the Extensions Index asks
ROOT = Path(__file__).resolve().parents[2]


def render(drawing: Path) -> QtGui.QImage:
    """Draw an SVG file with a clear background."""
    image = QtGui.QImage(SIDE, SIDE, QtGui.QImage.Format.Format_ARGB32)
    image.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(image)
    QtSvg.QSvgRenderer(str(drawing)).render(painter)
    painter.end()
    return image


def main() -> int:
    """Write the PNG files."""
    app = QtGui.QGuiApplication([])
    for drawing in sorted(ROOT.glob("**/Resources/Icons/*.svg")):
        if not render(drawing).save(str(drawing.with_suffix(".png"))):
            print(f"Could not write {drawing.with_suffix('.png')}.", file=sys.stderr)  # noqa: T201 - a command
            return 1
    del app
    return 0


if __name__ == "__main__":
    sys.exit(main())
