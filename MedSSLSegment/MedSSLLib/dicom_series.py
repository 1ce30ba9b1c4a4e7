"""One DICOM series of a folder as a volume, without importing it into Slicer's DICOM database."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import vtk
from slicer.i18n import tr as _

from MedSSLLib.grids import Grid, grid_of_image
from MedSSLLib.problems import Problem
from MedSSLLib.voxel_files import LoadedVolume, new_image, window_of


def read_series(folder: Path, grid: Grid) -> LoadedVolume:
    """Read the series of a folder that lies on a grid; for a thread beside the main one.

    Raises:
        Problem: there is none.
    """
    for series in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series)
        if len(names) != grid.size[2]:
            continue
        try:
            source = sitk.ReadImage(names)
        except RuntimeError:  # the only one that ITK raises; another series may be the one
            continue
        if source.GetNumberOfComponentsPerPixel() == 1 and grid_of_image(source).is_same_as(grid):
            voxels = sitk.GetArrayViewFromImage(source)
            image, array = new_image(vtk.vtkImageData(), (0, 0, 0), voxels.shape, voxels.dtype)
            np.copyto(array, voxels)
            window, level = window_of(array)
            return LoadedVolume(image, grid, window, level, folder)
    raise Problem(
        _("No series in {folder} lies where its segmentation does.").format(folder=folder),
        _("Load the scan in the module DICOM, and the segmentation with Add Data."),
    )
