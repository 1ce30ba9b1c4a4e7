"""Where the voxels of a volume lie: Slicer counts from right to left and files from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk

_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SAME_MM = 1e-3
_RIGHT_ANGLE = 1e-3  # largest cosine between two axes that still counts as a right angle


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid of voxels.

    Attributes:
        size: voxels along i, j, k.
        ijk_to_ras: (4, 4), from voxel indices to millimetres, right to left, anterior, superior.
    """

    size: tuple[int, int, int]
    ijk_to_ras: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an array with its voxels: (k, j, i)."""
        return self.size[::-1]

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distances of the voxels along i, j and k."""
        return np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)

    @property
    def sheared(self) -> bool:
        """Whether the axes are not at right angles, which no file format of scans can hold."""
        axes = self.ijk_to_ras[:3, :3] / self.spacing_mm
        return bool(np.abs(axes.T @ axes - np.eye(3)).max() > _RIGHT_ANGLE)

    @property
    def right_handed(self) -> Grid:
        """The same voxels, counted from the other end along k where the axes are left-handed.

        Slicer does so with a volume that it reads; many NIfTI files are left-handed.
        """
        if np.linalg.det(self.ijk_to_ras[:3, :3]) >= 0:
            return self
        reverse = np.diag([1.0, 1.0, -1.0, 1.0])
        reverse[2, 3] = self.size[2] - 1
        return Grid(self.size, self.ijk_to_ras @ reverse)

    def moved(self, transform: np.ndarray) -> Grid:
        """The same voxels under a transform (4, 4) in RAS."""
        return Grid(self.size, transform @ self.ijk_to_ras)

    def is_same_as(self, other: Grid) -> bool:
        """Whether every voxel lies where the other grid has it."""
        if self.size != other.size:
            return False
        return bool(np.abs((self.ijk_to_ras - other.ijk_to_ras) @ corners_of(self.size)).max() < _SAME_MM)

    def axes_lps(self) -> np.ndarray:
        """The steps along i, j and k in millimetres as files count them: (3, 3), one column a step."""
        return (_TO_LPS @ self.ijk_to_ras)[:3, :3]

    def origin_lps(self) -> np.ndarray:
        """The middle of the first voxel as files count it: (3,)."""
        return (_TO_LPS @ self.ijk_to_ras)[:3, 3]


def corners_of(size: Sequence[int]) -> np.ndarray:
    """The indices of the eight outermost voxels, as columns (4, 8) that a matrix can take."""
    return np.array(np.meshgrid(*[(0, n - 1) for n in size], [1])).reshape(4, -1)


def grid_of_image(image: Any) -> Grid:
    """The first three axes of a SimpleITK image, or of a reader of images that has read the header."""
    matrix, axes = np.eye(4), image.GetDimension()
    directions = np.array(image.GetDirection()).reshape(axes, axes) * np.array(image.GetSpacing())
    matrix[:3, :3] = directions[:3, :3]
    matrix[:3, 3] = image.GetOrigin()[:3]
    return Grid(tuple(image.GetSize()[:3]), _TO_LPS @ matrix)


def array_of_matrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """VTK's matrix as an array (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_of_array(array: Any) -> vtk.vtkMatrix4x4:
    """An array (4, 4) as VTK's matrix."""
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, float(array[row][column]))
    return matrix
