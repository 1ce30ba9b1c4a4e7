"""A volume in memory: voxels and the grid that places them in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medssl.errors import ImageError


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie, in DICOM's patient coordinates (LPS, millimetres).

    `size`, `spacing_mm` and `origin_mm` are ordered x, y, z as in SimpleITK; arrays are ordered z, y, x.
    `direction` holds the 3 x 3 direction cosines row by row: column j is where index axis j points.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array on this grid: (z, y, x)."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 4 x 4 matrix from a voxel's index (x, y, z, 1) to LPS millimetres."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(self.direction).reshape(3, 3) * np.array(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    def agrees_with(self, other: Grid) -> bool:
        """Whether both grids are the same for every purpose.

        File formats round differently (NIfTI keeps 32-bit floats), so that corners may differ by a
        hundredth of a voxel.
        """
        if self.size != other.size:
            return False
        corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
        corners[:, :3] *= np.array(self.size) - 1
        apart = np.abs((self.matrix - other.matrix) @ corners.T)[:3].max()
        return bool(apart <= 0.01 * min(self.spacing_mm))


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels on a grid.

    Attributes:
        array: (z, y, x); the file's own numeric type.
        grid: where the voxels lie.
        notes: what a person should know about how the file was read, one sentence each; mostly empty.
    """

    array: NDArray[Any]
    grid: Grid
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an array that does not lie on the grid."""
        if self.array.shape != self.grid.shape:
            raise ImageError(
                f"An array of shape {self.array.shape} does not lie on a grid of {self.grid.shape}."
            )
