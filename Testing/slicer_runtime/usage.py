"""What a module's source uses of the application: names below qt, ctk and slicer, widgets of .ui files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_ROOTS = frozenset({"qt", "ctk", "slicer"})
_SELF = frozenset({"self", "cls"})
_CHILDREN = frozenset({"ui", "_ui"})  # attributes that hold the named widgets of a .ui file


@dataclass(frozen=True)
class Use:
    """A chain of attributes, as ('slicer', 'app', 'layoutManager()', 'layout'), and what is done with it."""

    where: str
    chain: tuple[str, ...]
    called: bool = False
    assigned: bool = False
    keywords: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.where}: {'.'.join(self.chain)}"


def uses(path: Path) -> Iterator[Use]:
    """Every use of the application's names, and of the children of a .ui file, in a Python file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner |= {id(call) for call in calls.values() if id(call) in inner}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _ROOTS:
            for alias in node.names:
                parts = (*(node.module or "").split("."), alias.name)
                yield Use(f"{path.name}:{node.lineno}", parts)
        elif isinstance(node, ast.Attribute):
            chain = _chain(node, calls)
            if chain is not None:
                call = calls.get(id(node))
                yield Use(
                    f"{path.name}:{node.lineno}",
                    chain,
                    called=call is not None,
                    assigned=isinstance(node.ctx, ast.Store),
                    keywords=tuple(word.arg for word in call.keywords if word.arg) if call else (),
                )


def connections(path: Path) -> Iterator[tuple[str, str, str]]:
    """Where a Python file connects a signal as an attribute: (place, child of a .ui file or '', signal)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "connect"
        ):
            signal = node.func.value
            if isinstance(signal, ast.Attribute):
                owner, child = signal.value, ""
                if isinstance(owner, ast.Attribute):
                    holder = owner.value
                    held = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
                    child = owner.attr if held in _CHILDREN else ""
                yield f"{path.name}:{node.lineno}", child, signal.attr


def assignments(path: Path) -> Iterator[tuple[str, str]]:
    """The (place, name) of every attribute that a Python file assigns to something else than `self`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and not _is_own(node):
            yield f"{path.name}:{node.lineno}: {ast.unparse(node)}", node.attr


def own_attributes(path: Path) -> Iterator[str]:
    """The attributes that objects of the classes in a Python file have."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node):
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                    yield each.target.id


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in _SELF


def _chain(node: ast.Attribute, calls: dict[int, ast.Call]) -> tuple[str, ...] | None:
    """The names from the root to this attribute; a call on the way is written as 'name()'."""
    parts: list[str] = [node.attr]
    below: ast.expr = node.value
    while True:
        called = isinstance(below, ast.Call)
        if isinstance(below, ast.Call):
            below = below.func
        if isinstance(below, ast.Attribute):
            if below.attr in _CHILDREN and not called:
                return ("ui", *reversed(parts))
            parts.append(below.attr + ("()" if called else ""))
            below = below.value
        elif isinstance(below, ast.Name) and below.id in _ROOTS and not called:
            return (below.id, *reversed(parts))
        else:
            return None


@dataclass(frozen=True)
class FormWidget:
    """A widget of a .ui file with the properties that the file gives it."""

    where: str
    name: str
    class_name: str
    properties: tuple[str, ...]


def form_widgets(path: Path) -> Iterator[FormWidget]:
    """The widgets of a .ui file."""
    for widget in ElementTree.parse(path).iter("widget"):
        properties = tuple(prop.get("name", "") for prop in widget.findall("property"))
        yield FormWidget(path.name, widget.get("name", ""), widget.get("class", ""), properties)


def form_connections(path: Path) -> Iterator[tuple[str, str, str]]:
    """The (file, object's class, signal or slot name) of the connections of a .ui file."""
    tree = ElementTree.parse(path)
    classes = {widget.get("name"): widget.get("class", "") for widget in tree.iter("widget")}
    for connection in tree.iter("connection"):
        for thing, member in (("sender", "signal"), ("receiver", "slot")):
            name = connection.findtext(thing, "")
            if name in classes:
                yield path.name, classes[name], connection.findtext(member, "").split("(")[0]
