"""How well a segmentation agrees with a reference: overlap, surface distances and volumes of each segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from monai.metrics.meandice import compute_dice
from monai.metrics.meaniou import compute_iou
from monai.metrics.utils import get_mask_edges, get_surface_distance
from numpy.typing import NDArray

from medssl.errors import GridError
from medssl.imaging.volume import Grid
from medssl.labels import UNANNOTATED, LabelSchema, count_values

_Box: TypeAlias = tuple[slice, slice, slice]


@dataclass(frozen=True)
class ClassScore:
    """The agreement of one segment in one case.

    A number that cannot be said is None, never a flattering default: where neither side holds the segment
    nothing is scored, and where only one side does, the overlap is 0 and the distances do not exist (the
    published DTC code counts such a case as distance 0, a perfect one). Distances are also None where part of
    the segment's surroundings is not annotated, because the cut would count as a surface.

    Attributes:
        name: the segment's name.
        dice: Dice coefficient, 0..1.
        jaccard: intersection over union, 0..1.
        hd95_mm: the larger of the two directed 95th percentiles of the surface distances.
        asd_mm: average symmetric surface distance: the mean over the points of both surfaces.
        volume_ml: volume of the prediction where the reference is annotated.
        reference_ml: volume of the reference.
    """

    name: str
    dice: float | None
    jaccard: float | None
    hd95_mm: float | None
    asd_mm: float | None
    volume_ml: float
    reference_ml: float

    @property
    def missed(self) -> bool:
        """Whether the segment is there and the prediction holds none of it."""
        return self.reference_ml > 0 and self.volume_ml == 0

    @property
    def invented(self) -> bool:
        """Whether the segment is not there and the prediction holds some of it."""
        return self.reference_ml == 0 and self.volume_ml > 0


def score_case(
    prediction: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    grid: Grid,
    schema: LabelSchema,
    *,
    distances: bool = True,
) -> tuple[ClassScore, ...]:
    """Score each segment of a case, in the schema's order.

    Args:
        prediction: label values (z, y, x).
        reference: label values (z, y, x); voxels of value 255 are not annotated and do not count.
        grid: the grid of both.
        schema: the segments.
        distances: also compute surface distances, which takes most of the time.

    Raises:
        GridError: the two do not have the grid's shape.
        LabelError: one of them holds a value the schema does not know.
    """
    for what, array in (("The prediction", prediction), ("The reference", reference)):
        if array.shape != grid.shape:
            raise GridError(
                f"{what} has {array.shape} voxels (z, y, x) where the scan has {grid.shape}.",
                "Bring it onto the scan's grid first.",
            )
        schema.check(np.flatnonzero(count_values(array)), what)
    return tuple(
        _score(segment.name, segment.value, prediction, reference, grid, distances)
        for segment in schema.segments
    )


def _score(
    name: str,
    value: int,
    prediction: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    grid: Grid,
    distances: bool,
) -> ClassScore:
    box = _box_of_both(prediction == value, reference == value)
    if box is None:
        return ClassScore(name, None, None, None, None, 0.0, 0.0)
    annotated = reference[box] != UNANNOTATED
    ours = (prediction[box] == value) & annotated
    theirs = reference[box] == value
    volume_ml = float(ours.sum()) * grid.voxel_ml
    reference_ml = float(theirs.sum()) * grid.voxel_ml
    if not ours.any() or not theirs.any():
        overlap = 0.0 if ours.any() or theirs.any() else None
        return ClassScore(name, overlap, overlap, None, None, volume_ml, reference_ml)

    pair = torch.from_numpy(ours)[None, None], torch.from_numpy(theirs)[None, None]
    hd95_mm, asd_mm = None, None
    if distances and annotated.all():
        hd95_mm, asd_mm = _surface_distances(ours, theirs, grid)
    return ClassScore(
        name=name,
        dice=float(compute_dice(*pair, include_background=True)),
        jaccard=float(compute_iou(*pair, include_background=True)),
        hd95_mm=hd95_mm,
        asd_mm=asd_mm,
        volume_ml=volume_ml,
        reference_ml=reference_ml,
    )


def _surface_distances(ours: NDArray[np.bool_], theirs: NDArray[np.bool_], grid: Grid) -> tuple[float, float]:
    """Return (HD95, ASD) in mm of two masks (z, y, x), neither of them empty.

    The same numbers as MONAI's `compute_hausdorff_distance(percentile=95)` and
    `compute_average_surface_distance(symmetric=True)`, from one pass over the surfaces instead of two.
    """
    our_surface, their_surface = get_mask_edges(ours, theirs)
    spacing_mm = grid.spacing_mm[::-1]
    there = get_surface_distance(our_surface, their_surface, spacing=spacing_mm)
    back = get_surface_distance(their_surface, our_surface, spacing=spacing_mm)
    hd95_mm = max(float(np.quantile(there, 0.95)), float(np.quantile(back, 0.95)))
    return hd95_mm, float(np.concatenate((there, back)).mean(dtype=np.float64))


def _box_of_both(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> _Box | None:
    """Return the box round both masks, one voxel wider where the volume goes on; None when both are empty."""
    either = ours | theirs
    slices = []
    for axis in range(3):
        found = np.flatnonzero(either.any(axis=tuple(other for other in range(3) if other != axis)))
        if found.size == 0:
            return None
        slices.append(slice(max(int(found[0]) - 1, 0), int(found[-1]) + 2))
    return slices[0], slices[1], slices[2]
