"""Segmentations with voxels of two segments, as 3D Slicer saves them: each segment in a layer of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from medssl.imaging.itk import image_of
from medssl.imaging.volume import Grid


def write_overlapping(path: Path, grid: Grid, first: str, second: str) -> None:
    """Write two segments that share exactly one voxel of a scan."""
    layers = np.zeros((2, *grid.shape), np.uint8)
    layers[0, 1, 1, 1:3] = 1
    layers[1, 1, 1, 2:4] = 1
    image = sitk.Compose([image_of(layer, grid) for layer in layers])
    for index, name in enumerate((first, second)):
        for key, text in (("Name", name), ("Layer", str(index)), ("LabelValue", "1")):
            image.SetMetaData(f"Segment{index}_{key}", text)
    sitk.WriteImage(image, str(path))
