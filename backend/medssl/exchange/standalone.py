"""Copies of our modules that run where MedSSL is not installed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from types import ModuleType


def standalone_source(module: ModuleType, beside: Mapping[str, str]) -> str:
    """Return a module's source without imports of MedSSL.

    Args:
        module: of ours; annotations in it are not evaluated (`from __future__ import annotations`).
        beside: for modules of ours that travel too, the name of their file, such as
            `{"medssl.learning.network": "network"}`. Imports from any other are dropped: they may be used in
            annotations only.
    """
    source = inspect.getsource(module)
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("medssl."):
            continue
        file = beside.get(node.module or "")
        names = ", ".join(alias.name for alias in node.names)
        kept = f"from .{file} import {names}" if file else ""
        first, last = node.lineno - 1, node.end_lineno or node.lineno
        lines[first:last] = [kept] + [""] * (last - first - 1)
    return "\n".join(lines) + "\n"
