"""Which slice of a volume one of Slicer's slice views shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import numpy as np
import slicer
import vtk

from MedSSLLib.grids import array_of_matrix
from MedSSLLib.volumes import own_grid, transform_to_world

RED = "vtkMRMLSliceNodeRed"


class SliceViewPlace:
    """Watches the red slice view, the one that shows the slices as they were taken, and where a volume is."""

    def __init__(self, volume: vtk.vtkObject, moved: Callable[[], Any]) -> None:
        """Begin to watch.

        Args:
            volume: whose slices are looked for, wherever transforms put it.
            moved: called when the view shows another slice, or the volume is elsewhere.
        """
        self._volume = volume
        self._node = slicer.mrmlScene.GetNodeByID(RED)
        watched = [(volume, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)]
        if self._node is not None:
            watched.append((self._node, vtk.vtkCommand.ModifiedEvent))
        self._observed = [(node, node.AddObserver(event, lambda *_: moved())) for node, event in watched]

    def close(self) -> None:
        """Watch no more."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()
        self._node = None

    def look(self) -> tuple[int, Optional[int]]:
        """Find the slice of the volume that is seen.

        Returns:
            The axis of the array (k, j, i) across which the view cuts, and the index of the slice along it;
            None when the view is beside the volume.

        Raises:
            Problem: the volume is under a transform that bends its slices.
        """
        if self._node is None:
            return 0, None
        grid = own_grid(self._volume).moved(transform_to_world(self._volume))
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
