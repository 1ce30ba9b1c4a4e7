"""Level sets of structures: the signed distance to the border, in units in which networks can answer.

Luo et al., "Semi-supervised medical image segmentation through dual-task consistency" (AAAI 2021), section
"Dual-task consistency", with the differences that `level_set` names.
"""

from __future__ import annotations

from collections.abc import Sequence

import edt
import numpy as np
from numpy.typing import NDArray

from medssl.labels import UNANNOTATED

DEFAULT_SATURATION_MM = 10.0
REACH = 1.4  # how far, in units of tau, distances are kept of which patches are cut that show them smaller
_SATURATION_OF_RADIUS = 1.5
_SATURATION_VOXELS = 3.0  # below this the level set would be a step, and teach no more than the classes do


def level_set(
    classes: NDArray[np.uint8],
    foreground_count: int,
    spacing_mm: tuple[float, float, float],
    saturation_mm: Sequence[float],
    reach: float = 1.0,
) -> NDArray[np.float32]:
    """Signed distance of every voxel to the border of each foreground class, negative inside.

        s = clip(sd / tau, -reach, reach),  sd = d_out - h/2 outside, -(d_in - h/2) inside

    d_out and d_in are Euclidean distances in mm between centres of voxels, h the finest spacing: zero lies on
    the face between voxels, so that the sign tells the class of every voxel, of the thinnest structures too.
    tau is the same in all scans and patches. (The published form scales each patch by its own maximum, has
    zero on the inner border and is undefined for full patches: see `official_level_set`.)

    A class that a fully annotated scan lacks is +reach everywhere, one that fills it -reach.

    Where voxels are not annotated, the border may lie among them. The distance is given only where it cannot:
    where the nearest voxel known to be on the other side is no farther away than the nearest one that nobody
    looked at, or where both are beyond reach tau. Everywhere else it is NaN, also in unannotated voxels.

    Args:
        classes: class indices (D, H, W), 255 where not annotated.
        foreground_count: F.
        spacing_mm: (z, y, x).
        saturation_mm: tau of each foreground class.
        reach: the largest value, 1 for what a network learns. Who shows distances smaller than they are, and
            clips then, needs those that come from beyond tau: `REACH`.

    Returns:
        (F, D, H, W) in [-reach, reach] or NaN.
    """
    known = classes != UNANNOTATED
    to_unknown = _distance_to(~known, spacing_mm)
    half = min(spacing_mm) / 2
    maps = np.empty((foreground_count, *classes.shape), dtype=np.float32)
    for index, tau in zip(range(foreground_count), saturation_mm, strict=True):
        inside = classes == index + 1
        outside = known & ~inside
        to_border = np.where(inside, _distance_to(outside, spacing_mm), _distance_to(inside, spacing_mm))
        nearest = np.minimum(to_border, to_unknown) - half
        sure = known & ((to_border <= to_unknown) | (nearest >= reach * tau))
        size = np.minimum(nearest / tau, reach)
        maps[index] = np.where(sure, np.where(inside, -size, size), np.nan)
    return maps


def official_level_set(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The level set of one structure in one patch as the authors' code has it.

        s = d_out / max(d_out) - d_in / max(d_in),  0 on the inner border

    in voxels. It is 0 everywhere in a patch without the structure, and NaN in a patch full of it, where the
    published quotient is 0 / 0.

    Args:
        mask: (D, H, W).

    Returns:
        (D, H, W) in [-1, 1], or NaN.
    """
    if not mask.any():
        return np.zeros(mask.shape, dtype=np.float32)
    if mask.all():
        return np.full(mask.shape, np.nan, dtype=np.float32)
    unit = (1.0, 1.0, 1.0)
    outside, inside = _distance_to(mask, unit), _distance_to(~mask, unit)
    signed: NDArray[np.float32] = outside / outside.max() - inside / inside.max()
    # A foreground voxel at distance 1 has a background voxel at one of its six faces: the inner border.
    signed[inside == 1] = 0
    return signed


def inradii(
    classes: NDArray[np.uint8], foreground_count: int, spacing_mm: tuple[float, float, float]
) -> tuple[float, ...]:
    """Radius in mm of the largest ball of known voxels inside each class; 0 for a class that is not there.

    Args:
        classes: class indices (D, H, W), 255 where not annotated.
        foreground_count: F.
        spacing_mm: (z, y, x).
    """
    radii = []
    for index in range(1, foreground_count + 1):
        inside = classes == index
        # The border of the scan bounds a structure as well: what lies beyond is unknown.
        padded = np.pad(inside, 1)
        radii.append(float(_distance_to(~padded, spacing_mm).max()) if inside.any() else 0.0)
    return tuple(radii)


def saturation_of_radii(
    radii: Sequence[Sequence[float]], spacing_mm: tuple[float, float, float]
) -> tuple[float, ...]:
    """Choose tau for each class: 1.5 times the median inradius over the cases that have it.

    At least three voxels of the finest spacing; 10 mm for a class that no case has.

    Args:
        radii: one row a case with one inradius in mm a class, as `inradii` gives them.
        spacing_mm: of the grid on which level sets are made.
    """
    least = _SATURATION_VOXELS * min(spacing_mm)
    chosen = []
    for of_class in zip(*radii, strict=True):
        present = [radius for radius in of_class if radius > 0]
        tau = _SATURATION_OF_RADIUS * float(np.median(present)) if present else DEFAULT_SATURATION_MM
        chosen.append(max(tau, least))
    return tuple(chosen)


def _distance_to(seeds: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """Distance in mm from each voxel's centre to the nearest seed's; infinite when there is none."""
    if not seeds.any():
        return np.full(seeds.shape, np.inf, dtype=np.float32)
    distances: NDArray[np.float32] = edt.edt(
        np.ascontiguousarray(~seeds), anisotropy=spacing_mm, black_border=False, order="C", parallel=1
    )
    return distances
