"""A list to choose from whose lines may change while something is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

from MedSSLLib.learning_choices import Choice


def offer(box: Any, choices: Sequence[Choice], usual: str = "") -> None:
    """Make the choices those of a QComboBox; what was chosen stays so, else it is the usual one."""
    now = [(box.itemData(line), box.itemText(line)) for line in range(box.count)]
    if now == [(choice.key, choice.title) for choice in choices]:
        return
    chosen = chosen_key(box) if box.count else usual
    blocked = box.blockSignals(True)
    box.clear()
    for line, choice in enumerate(choices):
        box.addItem(choice.title, choice.key)
        box.setItemData(line, choice.sentence, qt.Qt.ToolTipRole)
    box.blockSignals(blocked)
    choose(box, chosen)


def chosen_key(box: Any) -> str:
    """Return what the chosen line stands for; empty when there is none."""
    key = box.itemData(box.currentIndex)
    return "" if key is None else str(key)


def chosen_sentence(box: Any, choices: Sequence[Choice]) -> str:
    """Return the sentence about the choice that the chosen line stands for."""
    key = chosen_key(box)
    return next((choice.sentence for choice in choices if choice.key == key), "")


def choose(box: Any, key: str) -> None:
    """Choose the line that stands for a key, else the first."""
    keys = [box.itemData(line) for line in range(box.count)]
    box.currentIndex = keys.index(key) if key in keys else min(0, box.count - 1)
