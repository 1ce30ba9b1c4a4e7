"""Which slice of a volume one of Slicer's slice views shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import numpy as np
import slicer
import vtk

from MedSSLLib.grids import Grid, array_of_matrix

RED = "vtkMRMLSliceNodeRed"


class SliceViewPlace:
    """Watches the red slice view, the one that shows the slices as they were taken."""

    def __init__(self, moved: Callable[[], Any]) -> None:
        """Begin to watch.

        Args:
            moved: called when the view shows another slice.
        """
        self._node = slicer.mrmlScene.GetNodeByID(RED)
        self._tag = None
        if self._node is not None:
            self._tag = self._node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: moved())

    def close(self) -> None:
        """Watch no more."""
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = None

    def look(self, grid: Grid) -> tuple[int, Optional[int]]:
        """Find the slice of a volume that is seen.

        Returns:
            The axis of the array (k, j, i) across which the view cuts, and the index of the slice along it;
            None when the view is beside the volume.
        """
        if self._node is None:
            return 0, None
        view = array_of_matrix(self._node.GetSliceToRAS())
        to_voxels = np.linalg.inv(grid.ijk_to_ras)
        normal = to_voxels[:3, :3] @ view[:3, 2]
        across = int(np.argmax(np.abs(normal * grid.spacing_mm)))
        # The middle of the view need not be over the volume: only the way along the normal counts.
        middle = grid.ijk_to_ras @ np.array([*(n / 2 - 0.5 for n in grid.size), 1.0])
        along = float(view[:3, 2] @ (view[:3, 3] - middle[:3]))
        there = to_voxels @ np.array([*(middle[:3] + along * view[:3, 2]), 1.0])
        index = int(np.floor(there[across] + 0.5))
        inside = 0 <= index < grid.size[across]
        return 2 - across, index if inside else None
