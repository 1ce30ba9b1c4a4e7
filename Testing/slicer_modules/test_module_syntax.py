"""The modules are written for the oldest Python among the releases of 3D Slicer that they support."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for name in ("MedSSLSegment", "MedSSLPretrain") for path in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_written_for_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    assert not [node.lineno for node in ast.walk(tree) if _is_strict_zip(node)]


def test_no_file_makes_a_size_policy_of_two_at_once() -> None:
    """As Slicer's own effects avoid it, because it fails on some systems."""
    made = [path.name for path in FILES if re.search(r"QSizePolicy\([^)]", path.read_text(encoding="utf-8"))]
    assert made == []


def _is_strict_zip(node: ast.AST) -> bool:
    """Whether it is a call that only Python 3.10 understands."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip"):
        return False
    return any(each.arg == "strict" for each in node.keywords)
