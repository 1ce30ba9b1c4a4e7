"""A VTK window that nobody sees, and a Qt widget that shows what is drawn in it."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtk.util import numpy_support


class OffscreenView(QtWidgets.QWidget):
    """Draws its VTK window only when Qt paints it, or when it is asked for its pixels."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Expanding)
        self.setMinimumSize(40, 40)
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._image: QtGui.QImage | None = None

    def renderWindow(self) -> Any:
        return self._window

    def _schedule(self) -> None:
        """Draw when Qt paints next."""
        self._image = None
        self.update()

    def _prepare(self) -> None:
        """Bring what is drawn up to date."""

    def _draw(self) -> QtGui.QImage:
        self._window.SetSize(self.width(), self.height())
        self._prepare()
        self._window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.SetInputBufferTypeToRGB()
        grabber.ReadFrontBufferOff()
        grabber.Update()
        image = grabber.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
        flipped = pixels.reshape(height, width, 3)[::-1].copy()
        return QtGui.QImage(flipped.data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888).copy()

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        if self._image is None or self._image.size() != self.size():
            self._image = self._draw()
        QtGui.QPainter(self).drawImage(QtCore.QPoint(0, 0), self._image)
