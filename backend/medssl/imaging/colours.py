"""From the colours of DICOM to those of a screen.

Source: DICOM PS3.3, C.10.7.1.1 (CIELab values in 16 bits), and IEC 61966-2-1 (sRGB, white point D65).
"""

from __future__ import annotations

from medssl.labels import Colour

_WHITE = (0.95047, 1.0, 1.08883)  # XYZ of D65
_FROM_XYZ = ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570))
_LINEAR_BELOW = 6 / 29


def from_cielab(stored: tuple[int, int, int]) -> Colour:
    """Turn DICOM's three 16-bit numbers (L*, a*, b*) into red, green and blue, 0..255."""
    lightness = stored[0] / 65535 * 100
    a, b = (number / 65535 * 255 - 128 for number in stored[1:])
    middle = (lightness + 16) / 116
    xyz = [w * _cubed(c) for w, c in zip(_WHITE, (middle + a / 500, middle, middle - b / 200), strict=True)]
    red, green, blue = (
        _gamma(sum(part * value for part, value in zip(row, xyz, strict=True))) for row in _FROM_XYZ
    )
    return red, green, blue


def _cubed(c: float) -> float:
    return c**3 if c > _LINEAR_BELOW else 3 * _LINEAR_BELOW**2 * (c - 4 / 29)


def _gamma(c: float) -> int:
    c = min(1.0, max(0.0, c))
    return round(255 * (1.055 * c ** (1 / 2.4) - 0.055 if c > 0.0031308 else 12.92 * c))
