"""How well a text can be told from its ground, for the tests of pages."""

from __future__ import annotations

import re

import numpy as np


def contrast(ink: str, paper: str) -> float:
    """Contrast of two 'rgb(r, g, b)' colors, as the Web Content Accessibility Guidelines 2 define it."""
    levels = []
    for color in (ink, paper):
        channels = np.array([float(number) for number in re.findall(r"[\d.]+", color)][:3]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        levels.append(float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)
    return max(levels) / min(levels)
