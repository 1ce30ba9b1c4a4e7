"""Segmentations between label maps and the scene: names, colors, values, codes and geometry stay exact.

    loaded = read_labels(path)                              # in a thread
    node = add_segmentation(loaded, project, name, volume)  # on the main thread, at once

    snapshot = snapshot_segmentation(node, volume)          # on the main thread, at once
    labels = labels_of(snapshot, values)                    # in a thread: (k, j, i) on the volume

A label map has the values of the project's label schema; 255 is 'not annotated' and never drawn as a segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from MedSSLLib import terminology
from MedSSLLib.grids import Grid, array_of_matrix, corners_of, grid_of_image, matrix_of_array
from MedSSLLib.problems import Problem
from MedSSLLib.volumes import own_grid, transform_to_world
from MedSSLLib.voxel_files import new_image, read_image, voxels_of

if TYPE_CHECKING:
    from medssl.client import Project, Segment

UNANNOTATED = 255
VALUE_TAG = "MedSSL.value"
"""Tag of a segment that came from a label schema: the project's key and its value there, joined by a slash.

It says what a segment is after someone renamed it, in that project alone: the same value is another organ in
another one. Tags of earlier versions named no project, and say nothing."""

_LABELMAP = "Binary labelmap"
_SAME_VOXEL = 1e-3  # difference in voxels that counts as none


@dataclass(frozen=True, eq=False)
class LoadedLabels:
    """A label map in memory that no node shows yet.

    Attributes:
        image: the drawn part of it (vtkOrientedImageData); None when nothing is drawn.
        grid: of the whole.
        unannotated: (k, j, i), where nobody looked; None when every voxel was looked at.
    """

    image: Optional[Any]
    grid: Grid
    unannotated: Optional[np.ndarray]


@dataclass(frozen=True)
class SegmentState:
    """A segment as it was at one moment.

    Attributes:
        origin: the key of the project that it came from, and its value there; None when nobody knows.
        layer: of its voxels; -1 when nothing of it is drawn.
        label: its voxels in that layer.
    """

    id: str
    name: str
    color: tuple[int, int, int]
    terminology: str
    origin: Optional[tuple[str, int]]
    layer: int
    label: int


@dataclass(frozen=True, eq=False)
class Layer:
    """Voxels that several segments share, copied, and the way from them to the volume's voxels (4, 4)."""

    array: np.ndarray
    to_volume: np.ndarray


@dataclass(frozen=True, eq=False)
class SegmentationSnapshot:
    """What is drawn on a volume at one moment; `grid` is the volume's own."""

    name: str
    segments: tuple[SegmentState, ...]
    layers: tuple[Layer, ...]
    grid: Grid


def read_labels(path: Path) -> LoadedLabels:
    """Read a label map that the engine wrote; for a thread beside the main one.

    Raises:
        Problem: it cannot be read.
    """
    import SimpleITK as sitk

    source = read_image(path)
    values = sitk.GetArrayViewFromImage(source)
    grid = grid_of_image(source)
    unannotated = values == UNANNOTATED
    drawn = (values != 0) & ~unannotated
    hidden = unannotated if unannotated.any() else None
    spans = [np.flatnonzero(drawn.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not spans[0].size:
        return LoadedLabels(None, grid, hidden)
    box = tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    start = (box[2].start, box[1].start, box[0].start)
    shape = tuple(part.stop - part.start for part in box)
    image, array = new_image(slicer.vtkOrientedImageData(), start, shape, np.dtype(np.uint8))
    np.copyto(array, values[box], casting="unsafe")
    if hidden is not None:
        np.copyto(array, np.uint8(0), where=unannotated[box])
    image.SetGeometryFromImageToWorldMatrix(matrix_of_array(grid.ijk_to_ras))
    return LoadedLabels(image, grid, hidden)


def label_map_of(labels: LoadedLabels) -> np.ndarray:
    """The whole label map, uint8 (k, j, i), with 0 where nobody looked; for a thread beside the main one."""
    whole = np.zeros(labels.grid.shape, np.uint8)
    if labels.image is not None:
        x0, x1, y0, y1, z0, z1 = labels.image.GetExtent()
        whole[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1] = voxels_of(labels.image)
    return whole


def add_segmentation(
    labels: Optional[LoadedLabels], project: Project, name: str, volume: vtk.vtkObject
) -> vtk.vtkObject:
    """Put a label map into the scene, with all segments of the schema, drawn or not.

    Args:
        labels: as read; None begins with nothing drawn.
        project: that the label map is of.
        name: of the new node.
        volume: the scan, whose transforms the segmentation follows.

    Returns:
        The vtkMRMLSegmentationNode.
    """
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name)
    )
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), volume.GetID())
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    segmentation = node.GetSegmentation()
    for each in project.segments:
        color = tuple(part / 255 for part in each.colour)
        segment_id = f"Segment_{each.value}"
        if labels is None or labels.image is None:
            segmentation.AddEmptySegment(segment_id, each.name, color)
            segment = segmentation.GetSegment(segment_id)
        else:
            segment = slicer.vtkSegment()
            segment.SetName(each.name)
            segment.SetColor(*color)
            segment.SetLabelValue(each.value)
            # One image for all of them, as Slicer's own reader does: no segment is copied.
            segment.AddRepresentation(_LABELMAP, labels.image)
            segmentation.AddSegment(segment, segment_id)
        segment.SetTag(VALUE_TAG, f"{project.key}/{each.value}")
        entry = terminology.entry_of(each.terminology)
        if entry:
            segment.SetTag(terminology.TAG, entry)
    return node


def snapshot_segmentation(node: vtk.vtkObject, volume: vtk.vtkObject) -> SegmentationSnapshot:
    """Copy what is drawn, so that the person can go on drawing.

    What a transform that bends shows elsewhere is copied to where it is seen, voxel by voxel.

    Raises:
        Problem: it is drawn as surfaces.
    """
    segmentation, name = node.GetSegmentation(), node.GetName()
    if segmentation.GetNumberOfSegments() and segmentation.GetSourceRepresentationName() != _LABELMAP:
        raise Problem(
            _("The segmentation '{name}' is drawn as surfaces, not as voxels.").format(name=name),
            _("Make 'Binary labelmap' its source representation in the module Segmentations."),
        )
    grid = own_grid(volume)
    if node.GetTransformNodeID() == volume.GetTransformNodeID():
        to_volume_ras = np.eye(4)  # whatever the transform is, it moves both
    elif _bends(node) or _bends(volume):
        segmentation, to_volume_ras = _bent(segmentation, node, volume), np.eye(4)
    else:
        to_volume_ras = np.linalg.inv(transform_to_world(volume)) @ transform_to_world(node)
    to_volume = np.linalg.inv(grid.ijk_to_ras) @ to_volume_ras
    layers: list[Layer] = []
    place_of: dict[str, int] = {}
    for index in range(segmentation.GetNumberOfLayers()):
        image = segmentation.GetLayerDataObject(index, _LABELMAP)
        if image is None or image.IsEmpty() or image.GetPointData().GetScalars() is None:
            continue
        for segment_id in segmentation.GetSegmentIDsForLayer(index, _LABELMAP):
            place_of[segment_id] = len(layers)
        layers.append(Layer(voxels_of(image).copy(), to_volume @ _voxels_to_world(image)))
    return SegmentationSnapshot(name, segment_states(node, place_of), tuple(layers), grid)


def _bends(node: vtk.vtkObject) -> bool:
    parent = node.GetParentTransformNode()
    return parent is not None and not parent.IsTransformToWorldLinear()


def _bent(segmentation: Any, node: vtk.vtkObject, volume: vtk.vtkObject) -> Any:
    """A copy of a segmentation, moved as the transforms between its node and the volume show it."""
    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        node.GetParentTransformNode(), volume.GetParentTransformNode(), between
    )
    copy = slicer.vtkSegmentation()
    copy.DeepCopy(segmentation)
    copy.ApplyNonLinearTransform(between)
    return copy


def segment_states(
    node: vtk.vtkObject, place_of: Optional[Mapping[str, int]] = None
) -> tuple[SegmentState, ...]:
    """Name the segments of a segmentation.

    Args:
        node: the vtkMRMLSegmentationNode.
        place_of: layers by segment ids; left out, nothing counts as drawn.
    """
    segmentation, places = node.GetSegmentation(), place_of or {}
    ids = [segmentation.GetNthSegmentID(i) for i in range(segmentation.GetNumberOfSegments())]
    return tuple(segment_state(segmentation.GetSegment(each), each, places.get(each, -1)) for each in ids)


def segment_state(segment: Any, segment_id: str, layer: int = -1) -> SegmentState:
    """Name one segment (a vtkSegment), see `segment_states`."""
    color = tuple(round(part * 255) for part in segment.GetColor())
    return SegmentState(
        id=segment_id,
        name=segment.GetName() or segment_id,
        color=color,
        terminology=_tag(segment, terminology.TAG),
        origin=_origin_of(_tag(segment, VALUE_TAG)),
        layer=layer,
        label=segment.GetLabelValue(),
    )


def values_by_name(segments: Sequence[Segment]) -> dict[str, int]:
    """Values by names with single spaces, exact and without case; of 'Cyst' and 'cyst', the one meant."""
    plain = {" ".join(each.name.split()): each.value for each in segments}
    return {**{name.casefold(): value for name, value in plain.items()}, **plain}


def match_segments(
    found: Sequence[SegmentState], project: Project
) -> tuple[dict[str, int], tuple[SegmentState, ...]]:
    """Find the schema's value of each segment: by its name, else by where in this project it came from.

    Returns:
        The values by the segments' ids, and the segments that the schema does not know.
    """
    by_name = values_by_name(project.segments)
    known = set(by_name.values())
    values: dict[str, int] = {}
    unknown: list[SegmentState] = []
    for each in found:
        name = " ".join(each.name.split())
        key, origin = each.origin or ("", None)
        value = by_name.get(name, by_name.get(name.casefold(), origin if key == project.key else None))
        if value in known:
            values[each.id] = value
        else:
            unknown.append(each)
    return values, tuple(unknown)


def labels_of(snapshot: SegmentationSnapshot, values: Mapping[str, int]) -> np.ndarray:
    """Draw the segments into one label map on the volume's grid; for a thread beside the main one.

    Args:
        snapshot: what was drawn.
        values: label values by segment ids; segments without one are left out.

    Returns:
        uint8 (k, j, i); where segments overlap, the later one wins.
    """
    labels = np.zeros(snapshot.grid.shape, np.uint8)
    for value, place, drawn in _drawn_on_volume(snapshot, values):
        # Not labels[...][mask]: that would keep Python's lock, and the window, for as long.
        np.copyto(labels[place], np.uint8(value), where=drawn)
    return labels


def is_empty(snapshot: SegmentationSnapshot, values: Mapping[str, int]) -> bool:
    """Whether none of the volume's voxels gets a value, see `labels_of`; for a thread beside the main one."""
    return not any(drawn.any() for _value, _place, drawn in _drawn_on_volume(snapshot, values))


def _drawn_on_volume(
    snapshot: SegmentationSnapshot, values: Mapping[str, int]
) -> Iterator[tuple[int, tuple[slice, ...], np.ndarray]]:
    """The value of each segment that is drawn, a part of the volume, and where in it the segment lies."""
    fitted: dict[int, tuple[np.ndarray, tuple[slice, ...]]] = {}
    for segment in snapshot.segments:
        value = values.get(segment.id)
        if value is None or segment.layer < 0:
            continue
        if segment.layer not in fitted:
            fitted[segment.layer] = _on_volume(snapshot.layers[segment.layer], snapshot.grid)
        array, place = fitted[segment.layer]
        yield value, place, array == segment.label


def _origin_of(tag: str) -> Optional[tuple[str, int]]:
    key, _slash, value = tag.rpartition("/")
    return (key, int(value)) if key and value.isdecimal() else None


def _tag(segment: Any, name: str) -> str:
    found = vtk.mutable("")
    return str(found) if segment.GetTag(name, found) else ""


def _voxels_to_world(image: Any) -> np.ndarray:
    """From indices into the array, which begins at the extent, to RAS (4, 4)."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    begin = np.eye(4)
    begin[:3, 3] = image.GetExtent()[::2]
    return array_of_matrix(matrix) @ begin


def _on_volume(layer: Layer, grid: Grid) -> tuple[np.ndarray, tuple[slice, ...]]:
    """A layer's voxels as the volume has them, and which part of the volume that is."""
    shift = np.round(layer.to_volume[:3, 3]).astype(int)
    off = layer.to_volume - np.eye(4)
    off[:3, 3] -= shift
    if np.abs(off @ corners_of(layer.array.shape[::-1])).max() < _SAME_VOXEL:
        return _cut(layer.array, shift, grid)
    return _resampled(layer, grid), (slice(None),) * 3


def _cut(array: np.ndarray, shift: np.ndarray, grid: Grid) -> tuple[np.ndarray, tuple[slice, ...]]:
    place, inside = [], []
    for first, length, size in zip(shift[::-1], array.shape, grid.shape):
        begin, end = min(max(int(first), 0), size), max(min(int(first) + length, size), 0)
        end = max(end, begin)
        place.append(slice(begin, end))
        inside.append(slice(begin - int(first), end - int(first)))
    return array[tuple(inside)], tuple(place)


def _resampled(layer: Layer, grid: Grid) -> np.ndarray:
    """The nearest voxel of the layer for each of the volume; SimpleITK works on indices as positions."""
    import SimpleITK as sitk

    back = np.linalg.inv(layer.to_volume)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(back[:3, :3].ravel().tolist())
    transform.SetTranslation(back[:3, 3].tolist())
    array = layer.array if layer.array.dtype != np.bool_ else layer.array.astype(np.uint8)
    image = sitk.Resample(
        sitk.GetImageFromArray(array),
        grid.size,
        transform,
        sitk.sitkNearestNeighbor,
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        np.eye(3).ravel().tolist(),
        0.0,
    )
    return sitk.GetArrayFromImage(image)
