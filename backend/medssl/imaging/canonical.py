"""Bringing arrays into one orientation without touching a voxel's value."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medssl.imaging.volume import Grid
from medssl.labels import MirrorAxis

Scalar = TypeVar("Scalar", bound=np.generic)

MIRROR_ARRAY_AXIS: dict[MirrorAxis, int] = {"up-down": 0, "front-back": 1, "left-right": 2}
"""The axis of a canonical array along which a mirroring exchanges both sides."""


@dataclass(frozen=True)
class Canonical:
    """The permutation and the flips that bring a volume's axes closest to LPS.

    Afterwards array axis 0 runs upwards (+z, to the head), axis 1 to the back (+y) and axis 2 to the
    patient's left (+x), as nearly as that is possible without resampling.

    Attributes:
        order: axis i of the canonical array is axis `order[i]` of the file's array (z, y, x).
        flips: the axes of the canonical array (0, 1, 2) that are reversed, after the permutation.
        spacing_mm: the canonical array's spacing (z, y, x).
    """

    order: tuple[int, int, int]
    flips: tuple[int, ...]
    spacing_mm: tuple[float, float, float]

    @classmethod
    def of(cls, grid: Grid) -> Canonical:
        """Find it for a grid."""
        # Rows: patient axes z, y, x; columns: array axes z, y, x.
        cosines = np.array(grid.direction).reshape(3, 3)[::-1, ::-1]
        order = max(permutations(range(3)), key=lambda p: sum(abs(cosines[i, p[i]]) for i in range(3)))
        first, second, third = order
        spacing = grid.spacing_mm[::-1]
        return cls(
            order=(first, second, third),
            flips=tuple(i for i in range(3) if cosines[i, order[i]] < 0),
            spacing_mm=(spacing[first], spacing[second], spacing[third]),
        )

    def apply(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Turn an array (..., z, y, x) of the file's orientation into the canonical one. Copies nothing."""
        lead = array.ndim - 3
        axes = (*range(lead), *(lead + axis for axis in self.order))
        return np.flip(array.transpose(axes), tuple(lead + axis for axis in self.flips))

    def undo(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Turn a canonical array (..., z, y, x) back into the file's orientation. Copies nothing."""
        lead = array.ndim - 3
        back = np.argsort(self.order)
        axes = (*range(lead), *(lead + int(axis) for axis in back))
        return np.flip(array, tuple(lead + axis for axis in self.flips)).transpose(axes)
