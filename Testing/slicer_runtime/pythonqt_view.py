"""Makes PySide6's classes look as PythonQt's do, to the modules that see properties.

PythonQt shows a property as an attribute and its setter, where it is public, as a method too; PySide6 shows
only the attribute. What the record of the application does not name is taken away, so that a module cannot
pass its tests with something that 3D Slicer lacks.
"""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable
from types import FrameType, FunctionType, ModuleType
from typing import Any

from PySide6 import QtCore
from shiboken6 import Shiboken

from slicer_runtime.property_style import use_properties
from slicer_runtime.record import RecordedClass, recorded_class, recorded_classes
from slicer_runtime.ui_loader import original_class

use_properties("slicer_runtime.property_view")

from slicer_runtime import property_view  # noqa: E402 - only after it is switched

# PythonQt finds these on every object, though `dir` does not list them; slicer.util uses `name` and `exec_`.
_UNLISTED = frozenset({"name"})
# PySide6 looks these up itself.
_PYSIDE = frozenset({"connectNotify", "disconnectNotify", "receivers", "staticMetaObject"})
_TRAILING = {"exec": "exec_", "raise": "raise_", "print": "print_"}


class Absent:
    """Hides an attribute from code that writes its name.

    Qt's own C++ still finds it: it looks up virtual functions in Python under their names, and would take one
    that is not there for an error.
    """

    def __init__(self, name: str, original: Any) -> None:
        self._name = name
        self._original = original

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if _reads_attribute(sys._getframe(1), self._name):
            raise AttributeError(f"3D Slicer does not have '{self._name}' (see api_record.json)")
        bind = getattr(type(self._original), "__get__", None)
        return self._original if bind is None else bind(self._original, instance, owner)


def _reads_attribute(frame: FrameType, name: str) -> bool:
    """Whether a Python function is at an expression `something.name`, and not within a call."""
    code, place = frame.f_code.co_code, frame.f_lasti
    if dis.opname[code[place]] not in ("LOAD_ATTR", "LOAD_METHOD"):
        return False
    index = code[place + 1]
    if place >= 2 and dis.opname[code[place - 2]] == "EXTENDED_ARG":
        index |= code[place - 1] << 8
    names = frame.f_code.co_names
    # From Python 3.12 on the last bit says whether it is called.
    return name in {names[each] for each in (index, index >> 1) if each < len(names)}


# What PythonQt takes for a property, by the property's type. It would make text of anything, 'None' too.
_TAKEN: dict[str, tuple[type, ...]] = {
    "QString": (str,),
    "bool": (bool, int),
    "int": (int,),
    "double": (int, float),
}


class _Checked(property):
    """A property that refuses what PythonQt refuses; PySide6 takes None for a text, and more."""

    def __init__(self, name: str, plain: property, taken: tuple[type, ...]) -> None:
        def put(instance: object, value: Any) -> None:
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError(f"Widgets are for the main thread; '{name}' was set in another one.")
            if not isinstance(value, taken):
                raise AttributeError(f"3D Slicer's property '{name}' does not accept {value!r}")
            plain.__set__(instance, value)

        super().__init__(plain.__get__, put)


# What is asked of a value where Python asks whether it is true; in PySide6 every object is.
_TRUTH: dict[str, Callable[[Any], bool]] = {
    "QByteArray": lambda value: not value.isEmpty(),
    "QIcon": lambda value: not value.isNull(),
    "QKeySequence": lambda value: not value.isEmpty(),
    "QLayout": lambda value: not value.isEmpty(),
    "QModelIndex": lambda value: value.isValid(),
    "QPixmap": lambda value: not value.isNull(),
    "QUrl": lambda value: not value.isEmpty(),
}


class _MetaProperty:
    """A Qt property that PySide6 does not show as one; the class itself may have a function of that name."""

    def __init__(self, name: str, of_class: Any) -> None:
        self._name = name
        self._of_class = of_class

    def __get__(self, instance: QtCore.QObject | None, owner: type | None = None) -> Any:
        return self._of_class if instance is None else instance.property(self._name)

    def __set__(self, instance: QtCore.QObject, value: Any) -> None:
        instance.setProperty(self._name, value)


def _allowed(record: RecordedClass) -> frozenset[str]:
    names = record.names | _UNLISTED | _PYSIDE
    return names | {_TRAILING[name] for name in names & set(_TRAILING)}


def _bases(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base not in (object, Shiboken.Object)]


class _View:
    """The classes as modules see them; knows their dictionaries without asking PySide6 each time."""

    def __init__(self, classes: set[type]) -> None:
        self._own = {cls: property_view.own_names(cls) for cls in classes}

    def names(self, cls: type) -> set[str]:
        """The names of a class and its bases."""
        every = set().union(*(self._own[base] for base in _bases(cls)))
        return {name for name in every if not isinstance(self.find(cls, name), Absent)}

    def own(self, cls: type) -> list[str]:
        return list(self._own[cls])

    def find(self, cls: type, name: str) -> Any:
        return next((self._own[base][name] for base in _bases(cls) if name in self._own[base]), None)

    def put(self, cls: type, name: str, value: Any) -> None:
        self._own[cls][name] = value
        property_view.put(cls, name, value)

    def hide(self, cls: type, name: str) -> None:
        self.put(cls, name, Absent(name, self.find(cls, name)))


def classes_of(namespace: ModuleType) -> dict[type, RecordedClass]:
    """The classes of a module `qt` or `ctk` with what is recorded of them."""
    found = {}
    for full in recorded_classes():
        part, _, name = full.partition(".")
        if part == namespace.__name__ and name in vars(namespace):
            found[vars(namespace)[name]] = recorded_class(full)
    return found


def narrow(recorded: dict[type, RecordedClass]) -> None:
    """Show these classes as the record has them."""
    for cls in {base for each in recorded for base in each.__mro__ if base.__name__ in _TRUTH}:
        cls.__bool__ = _TRUTH[cls.__name__]
    normal = {base: dict(base.__dict__) for cls in recorded for base in _bases(cls)}
    view = _View(set(normal))
    for base in normal:
        below = [_allowed(record) for cls, record in recorded.items() if issubclass(cls, base)]
        allowed = _allowed(recorded[base]) if base in recorded else frozenset().union(*below)
        for name in set(view.own(base)) - allowed:
            if not name.startswith("_"):
                view.hide(base, name)
    for cls in sorted(recorded, key=lambda cls: len(cls.__mro__)):
        _add_known(view, cls, recorded[cls], normal)
        for name in view.names(cls) - _allowed(recorded[cls]):
            if not name.startswith("_") and not isinstance(view.find(cls, name), Absent):
                view.hide(cls, name)


def _add_known(view: _View, cls: type, record: RecordedClass, normal: dict[type, dict[str, Any]]) -> None:
    """Add setters and getters beside the properties, and properties that are methods in PySide6."""
    is_object = issubclass(cls, QtCore.QObject)
    for name in record.names:
        shown = view.find(cls, name)
        plain = next((normal[base][name] for base in _bases(cls) if name in normal[base]), None)
        if name in record.properties:
            known = isinstance(shown, (property, QtCore.Property, _MetaProperty, FunctionType))
            if is_object and not known and cls.staticMetaObject.indexOfProperty(name) >= 0:
                view.put(cls, name, _MetaProperty(name, getattr(cls, name, None)))
            elif type(shown) is property and record.types[name] in _TAKEN:
                view.put(cls, name, _Checked(name, shown, _TAKEN[record.types[name]]))
        elif plain is not None and _hides_method(shown, record):
            view.put(cls, name, plain)
    for name, other in _TRAILING.items():
        if name in record.names and view.find(cls, name) is not None and view.find(cls, other) is None:
            view.put(cls, other, view.find(cls, name))
    if is_object and "className" in record.names and view.find(cls, "className") is None:
        view.put(cls, "className", original_class)
    if is_object and view.find(cls, "name") is None:
        view.put(cls, "name", property(lambda self: self.objectName()))


def _hides_method(shown: Any, record: RecordedClass) -> bool:
    """Whether a method of C++ is not seen, or as a property that the record does not know."""
    return (
        shown is None
        or isinstance(shown, Absent)
        or (bool(record.properties) and isinstance(shown, property))
    )


def shown_names(cls: type) -> set[str]:
    """The public names that modules see in a class."""
    return {name for name in _View(set(_bases(cls))).names(cls) if not name.startswith("_")}
