"""Gives chosen modules PythonQt's view of Qt objects: properties are attributes.

PySide6 can show its classes in two ways, by the module that looks: as in C++ (`label.text()`), which this
folder's own code uses, or with true properties (`label.text`), which is how PythonQt shows them and how the
modules under test are written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

import PySide6  # noqa: F401 - brings shibokensupport
from shibokensupport import feature

TRUE_PROPERTY = 0x02  # PySide6's number for `from __feature__ import true_property`


def use_properties(module_name: str) -> None:
    """Code of this module sees Qt properties as attributes, whether it is imported yet or not."""
    feature.set_selection(TRUE_PROPERTY, module_name)


class _Watcher(MetaPathFinder):
    """Finds no module itself; it switches chosen ones to properties just before they are imported."""

    def __init__(self, chosen: Callable[[str], bool]) -> None:
        self._chosen = chosen

    def find_spec(self, fullname: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if self._chosen(fullname):
            use_properties(fullname)
        return None


def use_properties_on_import(*packages: str) -> None:
    """Every module that is, or lies in, one of these top-level names will see properties."""

    def chosen(name: str) -> bool:
        return name.split(".")[0] in packages

    sys.meta_path.insert(0, _Watcher(chosen))
