"""Stands in for qMRMLSliceView: one slice, drawn by the application's real displayable managers."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from slicer_runtime.offscreen import OffscreenView

_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)


class SliceView(OffscreenView):
    """The picture of a slice with its overlays; the mouse goes to the application's interactor style."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic: Any = None
        self._renderer = vtk.vtkRenderer()
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        picture = vtk.vtkActor2D()
        picture.SetMapper(self._mapper)
        picture.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(picture)
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.setMouseTracking(True)

    def follow(self, logic: Any, application_logic: Any) -> None:
        """Show the slice of this logic."""
        self._logic = logic
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(application_logic)
        for name in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._managers.Initialize(factory, self._renderer)
        self._managers.SetMRMLDisplayableNode(logic.GetSliceNode())
        logic.SetDisplayableManagerGroup(self._managers)
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetSliceLogic(logic)
        self._style.SetInteractor(self._interactor)
        self._managers.AddObserver(vtk.vtkCommand.UpdateEvent, lambda *_: self._schedule())
        logic.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._schedule())

    def scheduleRender(self) -> None:
        """Draw when Qt paints next."""
        self._schedule()

    def forceRender(self) -> None:
        """Draw now."""
        self._schedule()
        self.repaint()

    def interactor(self) -> Any:
        return self._interactor

    def interactorStyle(self) -> Any:
        return self._style

    def _prepare(self) -> None:
        self._logic.UpdatePipeline()
        connection = self._logic.GetImageDataConnection()
        if connection is None:
            self._mapper.RemoveAllInputs()
        else:
            self._mapper.SetInputConnection(connection)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._logic is not None:
            self._interactor.SetSize(self.width(), self.height())
            self._logic.ResizeSliceNode(self.width(), self.height())

    def _place(self, event: QtGui.QMouseEvent | QtGui.QWheelEvent) -> None:
        keys = event.modifiers()
        self._interactor.SetEventInformationFlipY(
            round(event.position().x()),
            round(event.position().y()),
            int(bool(keys & QtCore.Qt.KeyboardModifier.ControlModifier)),
            int(bool(keys & QtCore.Qt.KeyboardModifier.ShiftModifier)),
        )

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        self._place(event)
        if event.button() == QtCore.Qt.MouseButton.LeftButton:
            self._interactor.LeftButtonPressEvent()

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        self._place(event)
        if event.button() == QtCore.Qt.MouseButton.LeftButton:
            self._interactor.LeftButtonReleaseEvent()

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        self._place(event)
        self._interactor.MouseMoveEvent()

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        self._place(event)
        if event.angleDelta().y() > 0:
            self._interactor.MouseWheelForwardEvent()
        else:
            self._interactor.MouseWheelBackwardEvent()
