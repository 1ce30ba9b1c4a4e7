"""Reading DICOM segmentations, our own and those of other programs, with their segments.

Source: DICOM PS3.3, C.8.20 (Segmentation modules): every frame belongs to one segment and lies on a plane of
its own; planes without any voxel of a segment may be missing. Label maps (one frame a plane for all segments)
and fractions are read as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array

from medssl.errors import ImageError
from medssl.imaging.colours import from_cielab
from medssl.imaging.dicom_files import BROKEN
from medssl.imaging.headers import EXPORT_AGAIN, check_grid
from medssl.imaging.segments import FileSegment
from medssl.imaging.volume import Grid
from medssl.labels import UNANNOTATED, Code, Colour, Terminology
from medssl.words import counted

_HALF = 0.5  # from this fraction on a voxel belongs to its segment
_STEP_TOLERANCE = 0.02  # of the step between slices
_SAME_PLANE = 0.01  # of a pixel: frames nearer to each other are of one plane
_SAME_PLANE_MM = 0.001  # at most
_GREY: Colour = (128, 128, 128)


@dataclass(frozen=True, eq=False)
class DicomLabels:
    """What a DICOM segmentation holds.

    Attributes:
        values: the segments' numbers (z, y, x), from 1; later segments win where several lie.
        grid: from the first to the last plane that the file has, which may be a part of the scan's.
        segments: in the file's order; their values are those in `values`.
        overlapping: how many voxels belong to several segments.
    """

    values: NDArray[np.uint8]
    grid: Grid
    segments: tuple[FileSegment, ...]
    overlapping: int


def read_dicom_segmentation(path: Path) -> DicomLabels:
    """Read a DICOM segmentation.

    Raises:
        ImageError: the file is no segmentation, is damaged, lies on no even grid, or has too many segments.
    """
    try:
        header = pydicom.dcmread(path)
        if header.get("Modality") != "SEG" or "SegmentSequence" not in header:
            raise ImageError(
                f"{path} is a DICOM file, but no segmentation.", "Choose a DICOM SEG file, or a label map."
            )
        frames = pixel_array(header).reshape(-1, header.Rows, header.Columns)
        segments = _segments(header, path)
        places = _Places.of(header, len(frames), path)
        return _put_together(header, frames, segments, places)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.", EXPORT_AGAIN) from error
    except BROKEN as error:
        raise ImageError(f"{path} is damaged, or no DICOM segmentation.", EXPORT_AGAIN) from error


@dataclass(frozen=True, eq=False)
class _Places:
    """The grid of a file's frames, and the voxel (x, y, z) of each frame's first pixel on it."""

    grid: Grid
    voxels: NDArray[np.int_]

    @classmethod
    def of(cls, header: pydicom.Dataset, count: int, path: Path) -> _Places:
        shared = header.SharedFunctionalGroupsSequence[0]
        groups = [(group, shared) for group in header.PerFrameFunctionalGroupsSequence][:count]

        positions = np.array(
            [_found("PlanePositionSequence", "ImagePositionPatient", at) for at in groups], np.float64
        )
        turned = np.array(
            [_found("PlaneOrientationSequence", "ImageOrientationPatient", at) for at in groups], np.float64
        )
        if np.ptp(turned, axis=0).max() > 1e-3:
            raise ImageError(f"{path} has frames in different directions.", "Save it in one direction.")
        rows_apart, columns_apart = map(float, _found("PixelMeasuresSequence", "PixelSpacing", groups[0]))
        row, column = turned[0, :3], turned[0, 3:]
        normal = np.cross(row, column)
        unit = min(_SAME_PLANE_MM, _SAME_PLANE * min(rows_apart, columns_apart))
        heights = np.unique(np.rint(positions @ normal / unit)) * unit
        thickness = _found("PixelMeasuresSequence", "SliceThickness", groups[0])
        between = _found("PixelMeasuresSequence", "SpacingBetweenSlices", groups[0])
        step = _step(heights, float(between or thickness or 1.0), path)
        spacing = np.array([columns_apart, rows_apart, step])
        axes = np.stack([row, column, normal], axis=1)
        voxels = (positions - positions[0]) @ axes / spacing
        lowest = voxels.min(axis=0)
        voxels = np.rint(voxels - lowest).astype(int)
        x, y, z = (positions[0] + axes @ (lowest * spacing)).tolist()
        size = voxels.max(axis=0) + np.array([header.Columns, header.Rows, 1])
        grid = Grid(
            size=(int(size[0]), int(size[1]), int(size[2])),
            spacing_mm=(columns_apart, rows_apart, step),
            origin_mm=(x, y, z),
            direction=tuple(axes.ravel().tolist()),
        )
        check_grid(grid, path)
        return cls(grid, voxels)


def _found(sequence: str, name: str, groups: Sequence[pydicom.Dataset]) -> Any:
    """An element of the first of some functional groups that has its sequence: a frame's own, the shared."""
    return next((g[sequence][0].get(name) for g in groups if sequence in g and g[sequence].value), None)


def _step(heights: NDArray[np.float64], named: float, path: Path) -> float:
    """The step between planes in mm: the one the file names, or the smallest there is."""
    if len(heights) < 2:
        return named
    gaps = np.diff(heights)
    for step in (named, float(gaps.min())):
        times = np.rint(gaps / step)
        if (times >= 1).all() and (np.abs(gaps - times * step) <= _STEP_TOLERANCE * step * times).all():
            return float((heights[-1] - heights[0]) / times.sum())
    raise ImageError(
        f"{path} has uneven steps between its planes, from {gaps.min():.4g} to {gaps.max():.4g} mm.",
        "Save it on a grid of even steps.",
    )


def _put_together(
    header: pydicom.Dataset, frames: NDArray[Any], segments: dict[int, FileSegment], places: _Places
) -> DicomLabels:
    kind = header.get("SegmentationType", "BINARY")
    fractional = kind == "FRACTIONAL"
    highest = float(header.get("MaximumFractionalValue", 255)) if fractional else 1.0
    merged = np.zeros(places.grid.shape, np.uint8)
    best = np.zeros(places.grid.shape, np.float32) if fractional else None
    table = np.zeros(65536, np.uint8)
    for number, segment in segments.items():
        table[number] = segment.value
    overlapping = 0
    rows, columns = frames.shape[1:]
    for index, (frame, (x, y, z)) in enumerate(zip(frames, places.voxels, strict=True)):
        at = (z, slice(y, y + rows), slice(x, x + columns))
        if kind == "LABELMAP":
            merged[at] = table[frame]
            continue
        groups = (header.PerFrameFunctionalGroupsSequence[index], header.SharedFunctionalGroupsSequence[0])
        value = table[_found("SegmentIdentificationSequence", "ReferencedSegmentNumber", groups)]
        share = frame / highest
        inside = share >= _HALF
        if best is not None:
            inside &= share > best[at]
            best[at] = np.maximum(best[at], share)
        elif value:
            overlapping += int(np.count_nonzero(merged[at][inside]))
        merged[at][inside] = value
    return DicomLabels(merged, places.grid, tuple(segments.values()), overlapping)


def _segments(header: pydicom.Dataset, path: Path) -> dict[int, FileSegment]:
    """Read the segments by their numbers; each gets a value 1..254, its number where that is one."""
    items = [item for item in header.SegmentSequence if int(item.SegmentNumber) > 0]
    if len(items) >= UNANNOTATED:
        raise ImageError(f"{path} has {counted(len(items), 'segment')}.", f"Use at most {UNANNOTATED - 1}.")
    numbers = [int(item.SegmentNumber) for item in items]
    keep = max(numbers, default=0) < UNANNOTATED
    return {
        number: FileSegment(
            name=str(item.get("SegmentLabel", "")).strip() or f"Segment {number}",
            layer=0,
            value=number if keep else place,
            colour=_colour(item),
            terminology=_terminology(item),
        )
        for place, (number, item) in enumerate(zip(numbers, items, strict=True), start=1)
    }


def _colour(item: pydicom.Dataset) -> Colour:
    value = item.get("RecommendedDisplayCIELabValue")
    return from_cielab((int(value[0]), int(value[1]), int(value[2]))) if value else _GREY


def _terminology(item: pydicom.Dataset) -> Terminology | None:
    category = _code(item, "SegmentedPropertyCategoryCodeSequence")
    kind = _code(item, "SegmentedPropertyTypeCodeSequence")
    if category is None or kind is None:
        return None
    types = item.SegmentedPropertyTypeCodeSequence
    regions = item.get("AnatomicRegionSequence") or [pydicom.Dataset()]
    return Terminology(
        category=category,
        type=kind,
        type_modifier=_code(types[0], "SegmentedPropertyTypeModifierCodeSequence"),
        region=_code(item, "AnatomicRegionSequence"),
        region_modifier=_code(regions[0], "AnatomicRegionModifierSequence"),
    )


def _code(item: pydicom.Dataset, sequence: str) -> Code | None:
    found = item.get(sequence)
    if not found:
        return None
    value = next(
        (str(found[0].get(k)) for k in ("CodeValue", "LongCodeValue", "URNCodeValue") if found[0].get(k)), ""
    )
    scheme, meaning = (str(found[0].get(k, "")) for k in ("CodingSchemeDesignator", "CodeMeaning"))
    return Code(value=value, scheme=scheme, meaning=meaning) if value else None
