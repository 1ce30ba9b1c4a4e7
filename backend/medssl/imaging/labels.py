"""Reading and writing label maps, with the segments they hold, and bringing them onto their scan's grid."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medssl.errors import GridError, ImageError, LabelError
from medssl.imaging.dicom_slices import is_dicom
from medssl.imaging.fitting import fit_to_grid, on_same_voxels
from medssl.imaging.formats import SEGMENTATION_SUFFIX, writable_suffix
from medssl.imaging.headers import header_grid, open_header
from medssl.imaging.itk import image_of
from medssl.imaging.reading import check_three_dimensions, read_grid, read_voxels
from medssl.imaging.segments import FileSegment, parse_segments, segment_fields
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_image, write_volume
from medssl.labels import (
    BACKGROUND,
    UNANNOTATED,
    UNANNOTATED_NAME,
    LabelSchema,
    Segment,
    count_values,
    plain_name,
)
from medssl.words import counted

# What 3D Slicer, ITK-SNAP, MITK and others call a segment that nobody named.
_UNNAMED = re.compile(r"((new )?(segment|label|class|region|value|object)[ _-]*)?\d*", re.IGNORECASE)

__all__ = [
    "LabelVolume",
    "bring_onto",
    "fit_to_grid",
    "match_schema",
    "read_labels",
    "read_onto",
    "read_values",
    "write_labels",
]


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """A label map as a file holds it.

    Attributes:
        volume: uint8 label values; 0 is background, 255 'not annotated'. Its notes say what was changed.
        segments: the segments with their values in `volume`; None when the file names none. Names may repeat.
    """

    volume: Volume
    segments: tuple[Segment, ...] | None


def read_labels(path: Path) -> LabelVolume:
    """Read a label map: `.seg.nrrd` or DICOM SEG with its segments, or any volume of whole numbers 0..255.

    Segments that overlap are put into one map, where later segments win, and a note says so. Segments whose
    value another one has, or that has another meaning here, get a free value.

    Raises:
        ImageError: see `read_volume`; fractions, NaN.
        LabelError: label values below 0 or above 255.
    """
    if is_dicom(path):
        return _from_dicom(path)
    reader = open_header(path)
    segments = parse_segments({key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()})
    layers = reader.GetNumberOfComponents() if segments else 1
    values, grid = _read(reader, layers, path)
    if segments is None:
        return LabelVolume(Volume(values, grid), None)
    return _merge(values.reshape(*grid.shape, layers), segments, grid, path)


def read_values(path: Path) -> Volume:
    """Read a label map of a project's own, whose values count: a segment may have another name by now.

    Raises:
        ImageError, LabelError: see `read_labels`.
    """
    return Volume(*_read(open_header(path), 1, path))


def read_values_on(path: Path, scan: Path) -> Volume:
    """Read a label map of a project's own on the voxels that its scan has now.

    A scan outside of the project may be written anew with its axes in another order or direction: the labels
    follow.

    Raises:
        GridError: the scan has other voxels than it had when it was annotated.
        ImageError: either cannot be read.
    """
    labels, grid = read_values(path), read_grid(scan)
    values = on_same_voxels(labels, grid)
    if values is None:
        raise GridError(
            f"{scan} was changed after it was annotated: its {grid.shape} voxels are not those of {path}, "
            f"{labels.grid.shape}.",
            "Put the scan back that was annotated, or exclude the case.",
        )
    return Volume(values, grid)


def match_schema(labels: LabelVolume, schema: LabelSchema, where: str) -> Volume:
    """Give a label map the values of a project's schema.

    3D Slicer numbers segments anew when it saves them, so that names decide, without regard to case. A file
    without segments, or with none but such as no person named ('Segment_1'), is taken by its values. Names
    that say something else are refused: a spleen that has the kidney's value is no kidney.

    Args:
        labels: as read.
        schema: the project's segments.
        where: names the file in messages.

    Raises:
        LabelError: segments or values that the schema does not know.
    """
    values = labels.volume.array
    present = np.flatnonzero(count_values(values))
    drawn = [s for s in labels.segments or () if s.value in present]
    meant: dict[int, int] = {}
    for segment in drawn:
        if (found := schema.find(segment.name)) is not None:
            meant[segment.value] = found.value
    if not meant and all(_UNNAMED.fullmatch(plain_name(s.name)) for s in drawn):
        schema.check(present, where)
        return labels.volume
    unknown = [s.name for s in drawn if s.value not in meant]
    ownerless = set(present.tolist()) - {0, UNANNOTATED} - {s.value for s in drawn}
    if unknown or ownerless:
        what = ", ".join([*unknown, *(f"value {v} without a name" for v in sorted(ownerless))])
        raise LabelError(
            f"{where} holds segments that the project does not know: {what}.",
            f"It knows {', '.join(schema.names)}; rename or remove the segments, or add them to the schema. "
            "In a label map that names no segment, such as .nii.gz, the values decide.",
        )
    table = np.zeros(256, dtype=np.uint8)
    table[UNANNOTATED] = UNANNOTATED
    for theirs, ours in meant.items():
        table[theirs] = ours
    if all(table[v] == v for v in present):
        return labels.volume
    return replace(labels.volume, array=table[values])


def read_onto(path: Path, schema: LabelSchema, scan: Grid) -> Volume:
    """Read a label map with the values of a schema on the grid of a scan: `read_labels`, then `bring_onto`.

    Raises:
        ImageError, LabelError, GridError: see both.
    """
    return bring_onto(read_labels(path), path, schema, scan)


def bring_onto(
    labels: LabelVolume, path: Path, schema: LabelSchema, scan: Grid, target: str = "scan"
) -> Volume:
    """Give a label map the values of a schema on the grid of a scan, or what `target` says; notes say what
    was changed.

    Where a label map of a part of the scan knows of voxels that are not annotated, those around it are not
    either. 3D Slicer leaves out what no segment owns, not even 'Not annotated': that is background.

    Args:
        labels: as read.
        path: of their file, which names it in messages.
        schema: the project's segments.
        scan: the grid they are wanted on.
        target: what the grid belongs to, in messages.

    Raises:
        LabelError, GridError: see `match_schema` and `fit_to_grid`.
    """
    partly = labels.segments is None and bool(count_values(labels.volume.array)[UNANNOTATED])
    found = match_schema(labels, schema, str(path))
    fitted = fit_to_grid(found, scan, str(path), UNANNOTATED if partly else BACKGROUND, target)
    before, after = count_values(found.array), count_values(fitted.array)
    gone = [segment.name for segment in schema.segments if before[segment.value] and not after[segment.value]]
    if not gone:
        return fitted
    what = f"{path}: nothing is left of {' and '.join(gone)} on the voxels of the {target}."
    return replace(fitted, notes=(*fitted.notes, what))


def write_labels(path: Path, values: NDArray[np.uint8], grid: Grid, schema: LabelSchema) -> None:
    """Write a label map atomically; the end of the name says as what.

    `.seg.nrrd` holds names, colours, values and terminology as 3D Slicer expects them; the other formats hold
    the values alone.

    Args:
        path: `.seg.nrrd`, `.nrrd`, `.nii.gz`, `.nii` or `.mha`.
        values: (z, y, x) on `grid`.
        grid: the scan's own grid.
        schema: the segments the values belong to.

    Raises:
        ImageError: `values` does not lie on `grid`.
        UsageError, StorageError: see `write_volume`.
    """
    volume = Volume(values.astype(np.uint8, copy=False), grid)
    if writable_suffix(path) != SEGMENTATION_SUFFIX:
        write_volume(path, volume)
        return
    image = image_of(volume.array, grid)
    partly = any(bool((plane == UNANNOTATED).any()) for plane in volume.array)
    for key, text in segment_fields(schema, grid.size, partly).items():
        image.SetMetaData(key, text)
    write_image(path, image)


def _read(reader: sitk.ImageFileReader, layers: int, path: Path) -> tuple[NDArray[np.uint8], Grid]:
    check_three_dimensions(reader, path, components=layers)
    grid = header_grid(reader, path)
    return _to_uint8(read_voxels(reader, grid, path), path), grid


def _to_uint8(array: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Turn whole numbers of any type into uint8."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iuf":
        raise ImageError(f"{path} is not a label map: it holds {array.dtype} numbers.", "Save whole numbers.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ImageError(f"{path} is not a label map: it holds NaN or infinity.", "Save whole numbers.")
    lowest, highest = array.min(), array.max()
    if lowest < 0 or highest > 255:
        raise LabelError(
            f"{path} holds label values from {lowest} to {highest}.",
            "Use values 1 to 254, and 0 for background.",
        )
    values = array.astype(np.uint8)
    if array.dtype.kind == "f" and not np.array_equal(values, array):
        raise ImageError(
            f"{path} is not a label map: it holds fractions.", "Use a label map, with a whole number a voxel."
        )
    return values


def _merge(layers: NDArray[np.uint8], found: tuple[FileSegment, ...], grid: Grid, path: Path) -> LabelVolume:
    """Put all layers (z, y, x, layers) into one map, each segment with a value of its own."""
    values = _own_values(found)
    notes: list[str] = []
    if layers.shape[-1] == 1 and all(s.value == v for s, v in zip(found, values, strict=True)):
        merged = layers[..., 0]
    else:
        merged = np.zeros(grid.shape, dtype=np.uint8)
        overlapping = 0
        for segment, value in zip(found, values, strict=True):
            if segment.layer < layers.shape[-1]:
                inside = layers[..., segment.layer] == segment.value
                overlapping += int(np.count_nonzero(merged[inside]))
                merged[inside] = value
        if overlapping:
            notes.append(_overlap_note(path, overlapping))
    named = tuple(
        Segment(name=s.name, value=v, colour=s.colour, terminology=s.terminology)
        for s, v in zip(found, values, strict=True)
        if v != UNANNOTATED
    )
    return LabelVolume(Volume(merged, grid, tuple(notes)), named)


def _from_dicom(path: Path) -> LabelVolume:
    from medssl.imaging.dicom_seg_reading import read_dicom_segmentation  # here, for the engine's start

    found = read_dicom_segmentation(path)
    notes = (_overlap_note(path, found.overlapping),) if found.overlapping else ()
    named = tuple(
        Segment(name=s.name, value=s.value, colour=s.colour, terminology=s.terminology)
        for s in found.segments
    )
    return LabelVolume(Volume(found.values, found.grid, notes), named)


def _overlap_note(path: Path, voxels: int) -> str:
    return (
        f"{path}: {counted(voxels, 'voxel belongs', 'voxels belong')} to several segments; the later segment "
        f"has {'it' if voxels == 1 else 'them'}."
    )


def _own_values(found: Iterable[FileSegment]) -> list[int]:
    """Give each segment its own value 1..254, the file's where it is free, and 255 to 'Not annotated'."""
    segments = list(found)
    taken: set[int] = set()
    values: list[int] = []
    wanted = {s.value for s in segments}
    for segment in segments:
        value = segment.value
        if plain_name(segment.name) == UNANNOTATED_NAME:
            value = UNANNOTATED
        elif value in taken or not 0 < value < UNANNOTATED:
            value = next(v for v in range(1, UNANNOTATED) if v not in taken | wanted)
        taken.add(value)
        values.append(value)
    return values
