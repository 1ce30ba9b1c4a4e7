"""What the sections say: what can be clicked or filled in explains itself, and a thing has one name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("MedSSL*/Resources/UI/*.ui"))
SOURCES = sorted(ROOT.glob("MedSSL*/**/*.py"))
EXPLAINED = (
    "QPushButton",
    "QToolButton",
    "QRadioButton",
    "QCheckBox",
    "QComboBox",
    "QLineEdit",
    "QTableWidget",
    "ctkPathLineEdit",
    "qMRMLNodeComboBox",
)
PLAIN = ("Cancel", "Close")  # texts that say it all


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_everything_that_can_be_clicked_or_filled_in_has_a_tooltip(path: Path) -> None:
    missing = []
    for widget in ElementTree.parse(path).getroot().iter("widget"):
        texts = {each.get("name"): "".join(each.itertext()) for each in widget.findall("property")}
        if widget.get("class") in EXPLAINED and texts.get("text") not in PLAIN and not texts.get("toolTip"):
            missing.append(widget.get("name"))
    assert not missing


def texts(path: Path) -> Iterator[str]:
    """What a file has for the screen, without what is put into it."""
    if path.suffix == ".ui":
        yield from (each.text or "" for each in ElementTree.parse(path).getroot().iter("string"))
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            yield from (re.sub(r"{.*?}", "", str(each.value)) for each in node.args if hasattr(each, "value"))


def test_what_a_project_holds_is_called_a_scan_everywhere() -> None:
    found = [text for path in (*FILES, *SOURCES) for text in texts(path)]
    assert "Find a scan" in found
    told = [text.replace("in any case", "") for text in found]
    assert not [text for text in told if re.search(r"\bcases?\b", text, re.IGNORECASE)]


def test_every_problem_can_be_told_in_the_persons_language() -> None:
    told = [
        words
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem"
        for words in node.args
    ]
    assert not [ast.unparse(words) for words in told if isinstance(words, (ast.Constant, ast.JoinedStr))]
