"""The modules use only what 3D Slicer has, and the stand-in offers nothing that it lacks.

What 3D Slicer has is in Testing/slicer_runtime/api_record.json, read off the running application.
"""

from __future__ import annotations

import inspect
import threading
from itertools import pairwise
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
import qt
import slicer
from PySide6 import QtCore
from slicer_runtime import ctk_namespace, mrml_namespace, packaging, scripted_module, translation
from slicer_runtime.application import Application
from slicer_runtime.io_manager import IOManager
from slicer_runtime.layout_manager import LayoutManager
from slicer_runtime.pythonqt_view import shown_names
from slicer_runtime.qt_namespace import qt_names
from slicer_runtime.record import recorded_class, recorded_classes, recorded_names
from slicer_runtime.usage import (
    Use,
    assignments,
    connections,
    form_connections,
    form_widgets,
    own_attributes,
    uses,
)

ROOT = Path(__file__).parents[2]
MODULES = [ROOT / "MedSSLSegment", ROOT / "MedSSLPretrain"]
SCRIPTS = [path for folder in MODULES for path in sorted(folder.rglob("*.py"))]
SCRIPTS += [
    ROOT / "Testing" / name
    for name in ("slicer_selftest.py", "selftest_drawing.py", "selftest_surroundings.py")
]
FORMS = [path for folder in MODULES for path in sorted(folder.rglob("*.ui"))]

# Every object of the application that a chain of names can pass, with where its attributes are recorded.
OBJECTS = {
    ("slicer", "app"): "slicer.app",
    ("slicer", "app", "layoutManager()"): "slicer.app.layoutManager()",
    ("slicer", "app", "ioManager()"): "slicer.app.ioManager()",
    ("slicer", "app", "coreIOManager()"): "slicer.app.ioManager()",
    ("slicer", "modules"): "slicer.modules",
    ("slicer", "util"): "util",
    ("slicer", "i18n"): "slicer.i18n",
    ("slicer", "packaging"): "slicer.packaging",
    ("slicer", "ScriptedLoadableModule"): "ScriptedLoadableModule",
    ("slicer", "parameterNodeWrapper"): "parameterNodeWrapper",
}
OURS = {
    f"{name}{ending}" for name in ("MedSSLSegment", "MedSSLPretrain") for ending in ("", "Widget", "Instance")
} | {"medsslsegment", "medsslpretrain"}
# PythonQt cuts a trailing underscore off a name that Python keeps for itself; slicer.util relies on it.
TRAILING = {"exec_": "exec", "raise_": "raise", "print_": "print"}
NEEDED_BY_PYSIDE = {"connectNotify", "disconnectNotify", "receivers", "staticMetaObject"}
# In slicer.util's own source, which the record was made beside.
UNLISTED = {"name", "self"}
LAYOUT_TYPES = ("layout", "spacer")
# Slicer's own C++ and Python parts of `slicer`, which are the real ones here.
REAL = {name for name in dir(slicer) if name.startswith(("vtk", "MRML"))}


def known(use: Use) -> bool:
    """Whether the record has what is used, as far as the names tell what it is."""
    chain = use.chain
    plain = tuple(part.removesuffix("()") for part in chain)
    if chain[0] == "ui":
        return known_of_child(use, plain)
    for length in range(len(chain) - 1, 0, -1):
        if chain[:length] in OBJECTS:
            allowed = recorded_names(OBJECTS[chain[:length]]) | (OURS if chain[1] == "modules" else set())
            return plain[length] in allowed
    if chain[0] == "slicer":
        first = plain[1]
        return (
            first in REAL | {"mrmlScene"} or f"slicer.{first}" in recorded_classes() or plain[:2] in OBJECTS
        )
    if plain[1] not in (qt_names() if chain[0] == "qt" else {c.split(".")[1] for c in recorded_classes()}):
        return False
    full = ".".join(plain[:2])
    if len(plain) == 2 or full not in recorded_classes():
        return len(plain) == 2 or full == "qt.Qt" or full.startswith("qt.")
    return plain[2] in recorded_class(full).names


CHILDREN: dict[str, set[str]] = {}
for _form in FORMS:
    for _widget in form_widgets(_form):
        CHILDREN.setdefault(_widget.name, set()).add(_widget.class_name)


def full_name(class_name: str) -> str:
    for part in ("qt", "ctk", "slicer"):
        if f"{part}.{class_name}" in recorded_classes():
            return f"{part}.{class_name}"
    return ""


def known_of_child(use: Use, plain: tuple[str, ...]) -> bool:
    """`self.ui.startButton.enabled`: the widgets of that name have it, and it is what it is used as."""
    if len(plain) < 3 or plain[1] not in CHILDREN:
        return True
    name = TRAILING.get(plain[2], plain[2])
    records = [recorded_class(full_name(each)) for each in CHILDREN[plain[1]] if full_name(each)]
    called = use.called if len(plain) == 3 else use.chain[2].endswith("()")
    assigned = use.assigned and len(plain) == 3
    return all(
        (name in record.names or name in UNLISTED)
        and not (called and name in record.properties)
        and not (assigned and record.properties and name not in record.properties)
        for record in records
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_module_uses_only_names_that_slicer_has(path: Path) -> None:
    assert [str(use) for use in uses(path) if not known(use)] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_functions_of_slicer_util_are_called_with_arguments_that_they_have(path: Path) -> None:
    wrong = []
    for use in uses(path):
        if use.chain[:2] == ("slicer", "util") and len(use.chain) == 3 and use.keywords:
            function = getattr(slicer.util, use.chain[2])
            parameters = inspect.signature(function).parameters
            takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
            wrong += [f"{use}({word}=)" for word in use.keywords if not takes_all and word not in parameters]
    assert wrong == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_qt_gets_no_arguments_by_name(path: Path) -> None:
    """PythonQt takes them in order only."""
    named = [use for use in uses(path) if use.chain[0] in ("qt", "ctk", "ui") and use.called and use.keywords]
    assert [str(use) for use in named] == []


# What a module says of itself, to an object whose properties are not in the record.
ABOUT_A_MODULE = {"acknowledgementText", "categories", "contributors", "dependencies", "helpText", "title"}
# Of pydicom's images, which are Python's own objects and not Qt's.
OF_AN_IMAGE = {"file_meta", "preamble"}
IN_ITS_META = {"MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID"}


@pytest.fixture(scope="module")
def settable() -> set[str]:
    """Names that can be assigned: properties of Slicer's classes, and attributes of the modules' own ones."""
    properties = {name for each in recorded_classes() for name in recorded_class(each).properties}
    own = {name for path in SCRIPTS for name in own_attributes(path)}
    return properties | ABOUT_A_MODULE | OF_AN_IMAGE | IN_ITS_META | own


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_nothing_is_assigned_that_no_object_has(path: Path, settable: set[str]) -> None:
    """PythonQt refuses a new attribute, which PySide6 would keep where nothing looks at it."""
    assert [place for place, name in assignments(path) if name not in settable] == []


def test_a_misspelt_property_of_any_variable_is_found(tmp_path: Path, settable: set[str]) -> None:
    path = tmp_path / "module.py"
    path.write_text("label.text = 'right'\nlabel.txt = 'wrong'\nself.txt = 'mine'\n", encoding="utf-8")
    wrong = [place for place, name in assignments(path) if name not in settable]
    assert wrong == ["module.py:2: label.txt"]


def is_ambiguous(full: str, signal: str) -> bool:
    """Whether a class has signals of one name that tell different things, and not only more of one."""
    found = [each for each in recorded_class(full).signals if each.split("(")[0] == signal]
    told = sorted(([a for a in each.split("(")[1].rstrip(")").split(",") if a] for each in found), key=len)
    return any(longer[: len(one)] != one for one, longer in pairwise(told))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_signal_that_is_connected_has_one_meaning(path: Path) -> None:
    """As an attribute, PythonQt and PySide6 take different ones of those that share a name."""
    wrong = []
    for where, child, signal in connections(path):
        known = [full_name(each) for each in CHILDREN.get(child, ()) if full_name(each)]
        having = known or [
            full
            for full in recorded_classes()
            if any(each.split("(")[0] == signal for each in recorded_class(full).signals)
        ]
        ambiguous = [full for full in having if is_ambiguous(full, signal)]
        if ambiguous and (known or len(ambiguous) == len(having)):
            wrong.append(f"{where}: {signal}")
    assert wrong == []


def test_signals_that_share_a_name_are_told_from_those_that_only_tell_more() -> None:
    assert is_ambiguous("qt.QComboBox", "currentIndexChanged")
    assert is_ambiguous("slicer.qMRMLNodeComboBox", "currentNodeChanged")
    assert not is_ambiguous("qt.QPushButton", "clicked")
    assert not is_ambiguous("qt.QComboBox", "textActivated")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_names_only_classes_and_properties_that_slicer_has(path: Path) -> None:
    wrong = []
    for widget in form_widgets(path):
        full = full_name(widget.class_name)
        if not full and widget.class_name != "Line":
            wrong.append(f"{widget.where}: {widget.class_name}")
        elif full and recorded_class(full).properties:
            properties = recorded_class(full).properties
            wrong += [f"{widget.name}.{name}" for name in widget.properties if name not in properties]
    for where, class_name, member in form_connections(path):
        if full_name(class_name) and member not in recorded_class(full_name(class_name)).names:
            wrong.append(f"{where}: {class_name}.{member}")
    assert wrong == []


def public(cls: type, until: tuple[type, ...] = ()) -> dict[str, Any]:
    """The public attributes that a class and its own bases define."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("slicer_runtime") and base not in until:
            found |= {name: value for name, value in vars(base).items() if not name.startswith("_")}
    return {name: value for name, value in found.items() if name not in NEEDED_BY_PYSIDE}


QT_OVERRIDES = {"event", "sizeHint", "minimumSizeHint", "paintEvent", "hitButton", "heightForWidth"}
STAND_INS = {
    **{f"ctk.{name}": cls for name, cls in ctk_namespace.CTK_WIDGETS.items()},
    **{f"slicer.{name}": cls for name, cls in mrml_namespace.MRML_WIDGETS.items()},
}


@pytest.mark.parametrize("name", sorted(STAND_INS))
def test_a_stand_in_has_nothing_that_its_original_lacks(name: str) -> None:
    record = recorded_class(name)
    wrong = []
    for attribute, value in public(STAND_INS[name]).items():
        is_property = isinstance(value, (property, QtCore.Property))
        if attribute not in record.names:
            wrong.append(attribute)
        elif attribute in QT_OVERRIDES:
            continue
        elif is_property != (attribute in record.properties):
            wrong.append(f"{attribute} is {'no ' if is_property else 'a '}property")
    assert wrong == []


@pytest.mark.parametrize(
    ("part", "cls"),
    [
        ("slicer.app", Application),
        ("slicer.app.ioManager()", IOManager),
        ("slicer.app.layoutManager()", LayoutManager),
    ],
)
def test_an_object_of_the_application_shows_modules_nothing_unknown(part: str, cls: type) -> None:
    thing = {
        "slicer.app": lambda: slicer.app,
        "slicer.app.ioManager()": lambda: slicer.app.ioManager(),
        "slicer.app.layoutManager()": lambda: slicer.app.layoutManager(),
    }[part]()
    shown = set(public(cls)) & shown_names(type(thing))
    assert shown - recorded_names(part) == set()


@pytest.mark.parametrize(
    ("part", "module"),
    [
        ("ScriptedLoadableModule", scripted_module),
        ("slicer.i18n", translation),
        ("slicer.packaging", packaging),
    ],
)
def test_a_module_of_slicer_has_nothing_unknown(part: str, module: Any) -> None:
    assert set(module.__all__) - recorded_names(part) == set()


def test_the_base_classes_of_modules_have_no_other_methods() -> None:
    from slicer_runtime.record import recorded_methods

    for name in scripted_module.__all__:
        methods = {m for m, f in vars(getattr(scripted_module, name)).items() if isinstance(f, FunctionType)}
        assert methods - recorded_methods("ScriptedLoadableModule", name) == set(), name


def test_the_real_slicer_util_has_the_recorded_functions() -> None:
    assert recorded_names("util") - set(dir(slicer.util)) == set()


@pytest.mark.parametrize("name", sorted(name for name in recorded_classes() if name.startswith("qt.")))
def test_a_qt_class_shows_modules_only_what_pythonqt_shows(name: str) -> None:
    cls = getattr(qt, name.removeprefix("qt."), None)
    if cls is None:
        pytest.skip("the stand-in does not have it")
    record = recorded_class(name)
    unknown = shown_names(cls) - record.names - NEEDED_BY_PYSIDE - set(TRAILING) - UNLISTED
    assert unknown == set()


def test_a_property_is_a_value_and_its_setter_works_too() -> None:
    label = qt.QLabel("before")
    assert label.text == "before"
    label.setText("after")
    assert label.text == "after"
    timer = qt.QTimer()
    timer.singleShot = True
    assert timer.singleShot is True


def test_what_qt_has_and_pythonqt_does_not_show_is_missing() -> None:
    with pytest.raises(AttributeError):
        qt.QTableWidget().supportedDragActions()
    with pytest.raises(AttributeError, match="api_record"):
        qt.QGraphicsScene()


def test_a_property_takes_only_what_pythonqt_takes() -> None:
    label, box = qt.QLabel("before"), qt.QCheckBox()
    with pytest.raises(AttributeError):
        label.text = None
    with pytest.raises(AttributeError):
        label.visible = "a sentence"
    box.checked = 1
    assert (label.text, box.checked) == ("before", True)


def test_what_holds_nothing_is_false() -> None:
    """As PythonQt has it; a layout without anything in it is there all the same."""
    widget = qt.QWidget()
    column = qt.QVBoxLayout(widget)
    assert not column and not widget.layout() and not qt.QIcon() and not qt.QPixmap()
    assert not qt.QByteArray(b"") and not qt.QKeySequence("")
    column.addWidget(qt.QLabel("a line"))
    assert column and widget.layout() and qt.QPixmap(1, 1) and qt.QKeySequence("A") and qt.QLabel()


def test_threads_beside_the_main_one_are_kept_from_widgets_and_seen_in_the_scene(application: Any) -> None:
    label, refused = qt.QLabel("before"), []

    def stray() -> None:
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
        try:
            label.text = "after"
        except RuntimeError as error:
            refused.append(str(error))

    thread = threading.Thread(target=stray)
    thread.start()
    thread.join()
    assert (label.text, len(refused), len(application.strays)) == ("before", 1, 1)
    application.strays.clear()
    application.clear()
