"""What the sections say: everything that can be clicked or filled in explains itself."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("MedSSL*/Resources/UI/*.ui"))
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
