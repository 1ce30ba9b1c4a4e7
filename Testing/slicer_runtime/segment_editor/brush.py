"""What a round brush covers of a labelmap."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from vtk.util import numpy_support


def _matrix(matrix: Any) -> np.ndarray:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


class Brush:
    """One stroke: positions in a slice view, (x, y) in pixels from below, become voxels of a labelmap.

    Args:
        labelmap: vtkOrientedImageData that gets 1 where the brush was.
        slice_node: of the view.
        diameter_mm: of the brush.
        sphere: whether it reaches out of the slice.
    """

    def __init__(self, labelmap: Any, slice_node: Any, diameter_mm: float, sphere: bool) -> None:
        self._labelmap = labelmap
        to_world = vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(to_world)
        self._to_world = _matrix(to_world)
        self._slice_to_world = _matrix(slice_node.GetXYToRAS())
        self._radius = diameter_mm / 2
        self._sphere = sphere
        extent = labelmap.GetExtent()
        self._offset = np.array(extent[::2])
        x, y, z = labelmap.GetDimensions()
        self._voxels = numpy_support.vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(z, y, x)
        self._voxels[...] = 0

    def paint(self, position: tuple[int, int]) -> None:
        """Cover what lies under the brush at one position."""
        center = (self._slice_to_world @ [position[0], position[1], 0, 1])[:3]
        normal = self._slice_to_world[:3, 2] / np.linalg.norm(self._slice_to_world[:3, 2])
        to_voxel = np.linalg.inv(self._to_world)
        voxel = (to_voxel @ [*center, 1])[:3] - self._offset
        spacing = np.linalg.norm(self._to_world[:3, :3], axis=0)
        reach = np.ceil(self._radius / spacing).astype(int) + 1
        shape = np.array(self._voxels.shape[::-1])
        first = np.clip(np.floor(voxel).astype(int) - reach, 0, shape)
        last = np.clip(np.ceil(voxel).astype(int) + reach + 1, 0, shape)
        if (last <= first).any():
            return
        axes = [np.arange(low, high) for low, high in zip(first, last, strict=True)]
        k, j, i = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
        index = np.stack([i, j, k], axis=-1) + self._offset
        away = index @ self._to_world[:3, :3].T + self._to_world[:3, 3] - center
        across = away @ normal
        if self._sphere:
            covered = (away**2).sum(-1) <= self._radius**2
        else:
            thickness = np.abs(np.linalg.inv(self._to_world[:3, :3]) @ normal).max()
            in_plane = (away**2).sum(-1) - across**2
            covered = (in_plane <= self._radius**2) & (np.abs(across) * thickness <= 0.5 + 1e-6)
        z, y, x = (slice(first[axis], last[axis]) for axis in (2, 1, 0))
        self._voxels[z, y, x][covered] = 1

    def finish(self) -> None:
        """The stroke is done."""
        self._labelmap.GetPointData().GetScalars().Modified()
        self._labelmap.Modified()
