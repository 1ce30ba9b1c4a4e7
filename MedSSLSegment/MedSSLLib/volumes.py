"""Volumes between files and the scene, with exact geometry and no copy too many.

loaded = read_volume(path)                  # in a thread: files, copies, statistics
node = add_volume(loaded, "Patient 7")      # on the main thread: at once, for a volume of any size

snapshot = snapshot_volume(node)            # on the main thread; refuses what is no scan
write_snapshot(snapshot, path)              # in a thread
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from MedSSLLib.engine_files import EngineFiles
from MedSSLLib.grids import Grid, array_of_matrix, matrix_of_array
from MedSSLLib.problems import Problem
from MedSSLLib.voxel_files import LoadedVolume, read_grid, read_volume, suffix_of, voxels_of, write_nrrd

if TYPE_CHECKING:
    from medssl.client import Case, Client


@dataclass(frozen=True, eq=False)
class VolumeSnapshot:
    """A volume of the scene as it was at one moment.

    Attributes:
        name: of the node.
        image: its voxels, shared with the node.
        grid: where they lie in the scene, under the transforms that the node is under.
        file: that it was read from or saved to, and not changed since; None when there is none. See `holds`.
        passing: whether Slicer itself deletes that file sooner or later.
    """

    name: str
    image: vtk.vtkImageData
    grid: Grid
    file: Optional[Path]
    passing: bool


def fetch_volumes(client: Client, files: EngineFiles, project: str, case: Case) -> tuple[LoadedVolume, ...]:
    """Read all images of a case, one for each channel; for a thread beside the main one.

    Raises:
        Problem, EngineError: one of them cannot be had, or not be read.
    """
    found = []
    for channel in range(len(case.channels)):
        with files.channel(client, project, case, channel) as path:
            found.append(read_volume(path))
    return tuple(found)


def add_volume(loaded: LoadedVolume, name: str) -> vtk.vtkObject:
    """Put a volume that was read into the scene; returns its vtkMRMLScalarVolumeNode."""
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name)
    )
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    # Before the voxels: Slicer's own choice goes through all of them, which takes a second for a large scan.
    display.AutoWindowLevelOff()
    display.SetWindowLevel(loaded.window, loaded.level)
    node.SetIJKToRASMatrix(matrix_of_array(loaded.grid.ijk_to_ras))
    node.SetAndObserveImageData(loaded.image)
    return node


def own_grid(node: vtk.vtkObject) -> Grid:
    """Where a volume's voxels lie by itself, without the transforms it is under."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    image = node.GetImageData()
    size = tuple(image.GetDimensions()) if image else (0, 0, 0)
    return Grid(size, array_of_matrix(matrix))


def transform_to_world(node: vtk.vtkObject) -> np.ndarray:
    """The transform (4, 4) that a node is under, all its parents taken together.

    Raises:
        Problem: it bends, so that no matrix says it.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise Problem(
            _("'{name}' is under the transform '{transform}', which bends space.").format(
                name=node.GetName(), transform=parent.GetName()
            ),
            _("Harden it on a copy in the module Transforms, and use the copy."),
        )
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return array_of_matrix(matrix)


def snapshot_volume(node: vtk.vtkObject) -> VolumeSnapshot:
    """Take what a node shows, with its transforms hardened in the snapshot and the node left as it is.

    Raises:
        Problem: it is empty, in color, sheared, or under a transform that bends.
    """
    name, image = node.GetName(), node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise Problem(_("The volume '{name}' is empty.").format(name=name), _("Choose another."))
    if image.GetNumberOfScalarComponents() > 1:
        raise Problem(
            _("The volume '{name}' holds {count} values a voxel, as color or diffusion volumes do.").format(
                name=name, count=image.GetNumberOfScalarComponents()
            ),
            _("Use a volume with one value a voxel."),
        )
    transform = transform_to_world(node)
    grid = own_grid(node).moved(transform)
    if min(grid.size) < 2:
        text = _("The volume '{name}' is a single slice.")
        raise Problem(text.format(name=name), _("Use a scan with several slices."))
    if grid.sheared:
        raise Problem(
            _(
                "The axes of the volume '{name}' are not at right angles, which files of scans cannot hold."
            ).format(name=name),
            _("Resample it in the module Resample Scalar/Vector/DWI Volume, and use the result."),
        )
    shared = vtk.vtkImageData()
    shared.ShallowCopy(image)
    file = _unmodified_file(node) if np.array_equal(transform, np.eye(4)) else None
    return VolumeSnapshot(name, shared, grid, file, file is not None and _is_passing(file))


def holds(path: Path, snapshot: VolumeSnapshot) -> bool:
    """Whether a file says that its voxels lie where a snapshot has them; for a thread beside the main one.

    Slicer can be told to read a file centered, or without its directions, and calls the volume unmodified.
    """
    try:
        return read_grid(path).right_handed.is_same_as(snapshot.grid.right_handed)
    except Problem:  # what MedSSL cannot read, Slicer may
        return False


def write_snapshot(snapshot: VolumeSnapshot, path: Path) -> None:
    """Write a snapshot as .nrrd; for a thread beside the main one.

    Raises:
        Problem: it cannot be written, or someone changed the voxels meanwhile.
    """
    scalars = snapshot.image.GetPointData().GetScalars()
    before = scalars.GetMTime()
    write_nrrd(path, voxels_of(snapshot.image), snapshot.grid)
    if scalars.GetMTime() != before:
        path.unlink()
        text = _("The volume '{name}' changed while it was saved.")
        raise Problem(text.format(name=snapshot.name), _("Try again."))


def _unmodified_file(node: vtk.vtkObject) -> Optional[Path]:
    storage = node.GetStorageNode()
    if storage is None or not storage.GetFileName() or storage.GetNumberOfFileNames() > 1:
        return None
    path = Path(storage.GetFullNameFromFileName())
    if node.GetModifiedSinceRead() or not suffix_of(path) or not path.is_file():
        return None
    return path


def _is_passing(path: Path) -> bool:
    """Whether a file is where Slicer deletes: in its cache, as Sample Data is, or its temporary folder."""
    cache = slicer.mrmlScene.GetCacheManager()
    folders = (slicer.app.temporaryPath, "" if cache is None else cache.GetRemoteCacheDirectory())
    resolved = path.resolve()
    return any(folder and resolved.is_relative_to(Path(folder).resolve()) for folder in folders)
