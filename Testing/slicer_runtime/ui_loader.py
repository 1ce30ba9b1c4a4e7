"""Stands in for Slicer's QUiLoader, which knows the widgets of CTK and MRML besides Qt's own."""

from __future__ import annotations

from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

CUSTOM_WIDGETS: dict[str, type[QtWidgets.QWidget]] = {}


def register(widgets: dict[str, type[QtWidgets.QWidget]]) -> None:
    """Lets .ui files name these classes."""
    CUSTOM_WIDGETS.update(widgets)


def original_class(widget: QtCore.QObject) -> str:
    """The name of the class that an object has, or stands in for."""
    names = {cls: name for name, cls in CUSTOM_WIDGETS.items()}
    return next((names[cls] for cls in type(widget).__mro__ if cls in names), widget.metaObject().className())


class QUiLoader(QtUiTools.QUiLoader):
    """Makes the registered widget classes; one that neither they nor Qt have is an error.

    Enumerators of the registered classes and connections of their signals are beyond Qt's own loader, because
    those classes are Python here: they are taken out of the file and done afterwards.
    """

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._made: list[QtWidgets.QWidget] = []

    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        document = ElementTree.fromstring(bytes(device.readAll()))
        unknown = self._unknown_classes(document)
        if unknown:
            raise RuntimeError(f"The .ui file names {', '.join(unknown)}: the stand-in does not have that.")
        enumerators = _take_enumerators(document)
        connections = _take_connections(document)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(document))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        for name, attribute, value in enumerators:
            setattr(_named(widget, name), attribute, value)
        for sender, signal, receiver, slot in connections:
            getattr(_named(widget, sender), signal).connect(getattr(_named(widget, receiver), slot))
        return widget

    def createWidget(
        self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        made = CUSTOM_WIDGETS.get(class_name)
        if made is None:
            return super().createWidget(class_name, parent, name)
        widget = made(parent)
        widget.setObjectName(name)
        self._made.append(
            widget
        )  # Qt owns it, but Python must not forget the object before it is in its layout
        return widget

    def _unknown_classes(self, document: ElementTree.Element) -> list[str]:
        known = {*CUSTOM_WIDGETS, *self.availableWidgets(), "Line"}
        return sorted({widget.get("class", "") for widget in document.iter("widget")} - known)


def _named(widget: QtWidgets.QWidget, name: str) -> QtCore.QObject:
    return widget if widget.objectName() == name else widget.findChild(QtCore.QObject, name)


def _take_enumerators(document: ElementTree.Element) -> list[tuple[str, str, object]]:
    """The (object, property, value) of enumerators, as in `ctkPathLineEdit::Dirs`."""
    taken = []
    for widget in document.iter("widget"):
        for prop in widget.findall("property"):
            value = next((found for kind in ("set", "enum") if (found := prop.find(kind)) is not None), None)
            words = (value.text or "").split("|") if value is not None else []
            classes = {word.split("::")[0] for word in words} & set(CUSTOM_WIDGETS)
            if classes:
                cls = CUSTOM_WIDGETS[classes.pop()]
                flags = [getattr(cls, word.split("::")[-1]) for word in words]
                joined = flags[0]
                for flag in flags[1:]:
                    joined = joined | flag
                taken.append((widget.get("name", ""), prop.get("name", ""), joined))
                widget.remove(prop)
    return taken


def _take_connections(document: ElementTree.Element) -> list[tuple[str, str, str, str]]:
    """The (sender, signal, receiver, slot) of connections from or to a registered class."""
    classes = {widget.get("name"): widget.get("class") for widget in document.iter("widget")}
    connections = document.find("connections")
    taken = []
    for connection in list(connections) if connections is not None else []:
        sender, signal, receiver, slot = (
            connection.findtext(part, "") for part in ("sender", "signal", "receiver", "slot")
        )
        if {classes.get(sender), classes.get(receiver)} & set(CUSTOM_WIDGETS):
            taken.append((sender, signal.split("(")[0], receiver, slot.split("(")[0]))
            connections.remove(connection)
    return taken
