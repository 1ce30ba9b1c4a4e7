"""What the widgets of CTK share that fold: their children are hidden while they are folded.

As in the originals, whoever shows or hides a child meanwhile finds it so once the widget is unfolded.
"""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

_WANTED = "shownWhenUnfolded"  # what others want of a child, apart from what folding does to it
_CREATED = QtCore.Qt.WidgetAttribute.WA_WState_Created
_EXPLICIT = QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide


class Folding(QtCore.QObject):
    """Watches the children of one widget."""

    _busy = True  # what Python has taken apart already does nothing when Qt still asks it

    def __init__(self, widget: QtWidgets.QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self._folded = False
        self._busy = False
        widget.installEventFilter(self)

    def fold(self, folded: bool) -> None:
        """Hide the children, or show those that are wanted."""
        self._folded = folded
        for child in self._widget.children():
            if isinstance(child, QtWidgets.QWidget):
                self._place(child)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if self._busy:
            return False
        kind = event.type()
        if watched is self._widget:
            if kind == QtCore.QEvent.Type.ChildAdded and isinstance(event, QtCore.QChildEvent):
                child = event.child()
                if isinstance(child, QtWidgets.QWidget):
                    self._adopt(child)
            elif kind == QtCore.QEvent.Type.Show:
                self.fold(self._folded)
        elif isinstance(watched, QtWidgets.QWidget) and watched.parent() is self._widget:
            if kind == QtCore.QEvent.Type.ShowToParent:
                watched.setProperty(_WANTED, True)
                self._place(watched)
            elif kind == QtCore.QEvent.Type.HideToParent:
                watched.setProperty(_WANTED, False)
        return False

    def _adopt(self, child: QtWidgets.QWidget) -> None:
        if child.isHidden() and child.testAttribute(_EXPLICIT):
            child.setProperty(_WANTED, False)
        child.installEventFilter(self)
        self._place(child)

    def _place(self, child: QtWidgets.QWidget) -> None:
        if not self._widget.testAttribute(_CREATED):
            return  # hiding a child now would look as if someone had wanted it
        wanted = child.property(_WANTED) is not False
        self._busy = True
        if wanted and not self._folded:
            if child.testAttribute(_CREATED):
                child.show()
        else:
            child.hide()
        if wanted:
            child.setAttribute(_EXPLICIT, False)
        self._busy = False
