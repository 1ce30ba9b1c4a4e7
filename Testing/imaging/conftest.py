"""Small real files for the tests of imaging: volumes on any grid."""

from __future__ import annotations

import numpy as np
import pytest
from medssl.imaging.volume import Grid, Volume


@pytest.fixture
def oblique() -> Volume:
    """A small volume whose spacing differs along each axis and whose axes are tilted and swapped."""
    a, b = np.cos(0.3), np.sin(0.3)
    grid = Grid(
        size=(6, 5, 4),
        spacing_mm=(0.7, 1.25, 3.3),
        origin_mm=(-12.5, 40.25, 7.75),
        direction=(0.0, a, -b, 0.0, b, a, -1.0, 0.0, 0.0),
    )
    array = np.random.default_rng(0).integers(-1000, 1000, grid.shape).astype(np.int16)
    return Volume(array, grid)
