"""Scans made by a formula, with their true segmentation: for the demo, for tests and for trying things out.

A phantom looks like a coarse T2-weighted MR scan of one kidney: a bean of cortex around a bright pelvis that
opens to one side, organs of the same brightness beside it, vessels, a bias field and noise. Size, pose,
contrast, voxel spacing and the direction of the slices differ from case to case.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medssl.imaging.labels import write_labels
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import PALETTE, Code, LabelSchema, Segment, Terminology
from medssl.storage import write_text

_ORGAN = Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
SCHEMA = LabelSchema(
    segments=(
        Segment(
            name="Kidney",
            value=1,
            colour=PALETTE[0],
            terminology=Terminology(
                category=_ORGAN, type=Code(value="64033007", scheme="SCT", meaning="Kidney")
            ),
            largest_component=True,
        ),
        Segment(
            name="Renal pelvis",
            value=2,
            colour=PALETTE[1],
            terminology=Terminology(
                category=_ORGAN, type=Code(value="25990002", scheme="SCT", meaning="Renal pelvis")
            ),
        ),
    ),
    # The hilum of a phantom looks to the right, so that left and right are not the same.
    mirror_axes=("front-back", "up-down"),
)

_Field = NDArray[np.float64]  # one number a voxel, (z, y, x)


@dataclass(frozen=True, eq=False)
class Phantom:
    """A scan (int16) and its true label map (uint8, values of `SCHEMA`) on one grid."""

    image: Volume
    labels: Volume


def make_phantom(seed: int, size: tuple[int, int, int] | None = None) -> Phantom:
    """Make one scan; the same seed gives the same scan.

    Args:
        seed: which case.
        size: voxels (z, y, x); left out, about 40 x 56 x 48, different in each case. The field of view stays
            the same, so that a small size means large voxels.
    """
    random = np.random.default_rng(seed)
    grid = _random_grid(random, size)
    points = _positions_mm(grid)
    cortex, pelvis = _kidney(points, random)
    tissue = _surroundings(points, random, away_from=cortex)
    brightness = random.uniform(0.85, 1.15, 2)
    tissue = np.where(cortex > 0, 0.52 * brightness[0], tissue)
    tissue = np.where(pelvis > 0, 0.92 * brightness[1], tissue)
    labels = np.where(pelvis > 0, 2, np.where(cortex > 0, 1, 0)).astype(np.uint8)
    image = _acquire(tissue, points, grid, random)
    return Phantom(Volume(image, grid), Volume(labels, grid))


def write_phantoms(folder: Path, count: int = 14, new_count: int = 4, seed: int = 0) -> None:
    """Write a data set in the layout of the Medical Segmentation Decathlon.

    `imagesTr` and `labelsTr` hold `count` cases, `imagesTs` and `labelsTs` the `new_count` scans that are
    kept for the end; `dataset.json` lists them.

    Raises:
        StorageError: the disk is full, or the folder may not be written.
    """
    listed: dict[str, list[str]] = {"Tr": [], "Ts": []}
    for index in range(count + new_count):
        part = "Tr" if index < count else "Ts"
        name = f"phantom_{index + 1:03d}.nii.gz"
        # Far apart, so that two data sets of neighbouring seeds have no case in common.
        phantom = make_phantom(seed * 100_003 + index)
        write_volume(folder / f"images{part}" / name, phantom.image)
        write_labels(folder / f"labels{part}" / name, phantom.labels.array, phantom.labels.grid, SCHEMA)
        listed[part].append(name)
    description = {
        "name": "MedSSL phantoms",
        "description": "Kidneys made by a formula; no patient's data.",
        "licence": "CC0",
        "tensorImageSize": "3D",
        "modality": {"0": "MR"},
        "labels": {"0": "background", **{str(s.value): s.name for s in SCHEMA.segments}},
        "numTraining": count,
        "numTest": new_count,
        "training": [{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in listed["Tr"]],
        "test": [f"./imagesTs/{n}" for n in listed["Ts"]],
    }
    write_text(folder / "dataset.json", json.dumps(description, indent=2) + "\n")


def _random_grid(random: np.random.Generator, size: tuple[int, int, int] | None) -> Grid:
    """Thick slices in any of the main directions, tilted by some degrees, axes running either way."""
    usual = np.array([40, 56, 48])
    z, y, x = (usual + random.integers(-4, 5, 3)) if size is None else np.array(size)
    spacing = np.array([random.uniform(2.2, 2.6), random.uniform(2.2, 2.6), random.uniform(3.0, 3.6)])
    if size is not None:
        spacing *= usual[::-1] / np.array(size[::-1])
    order = list(permutations(range(3)))[random.integers(6)]
    main = np.eye(3)[:, list(order)] * random.choice([-1.0, 1.0], 3)
    direction = _rotation(random.uniform(-0.2, 0.2, 3)) @ main
    centre = random.uniform(-60, 60, 3)
    origin = centre - direction @ (spacing * (np.array([x, y, z]) - 1) / 2)
    a, b, c = spacing.tolist()
    return Grid(
        size=(int(x), int(y), int(z)),
        spacing_mm=(a, b, c),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=tuple(direction.ravel().tolist()),
    )


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn about x, y and z by angles in radians."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[j, i] = np.sin(angle)
        turn[i, j] = -turn[j, i]
        matrix = turn @ matrix
    return matrix


def _positions_mm(grid: Grid) -> _Field:
    """Where the voxels lie from the middle of the field of view: (3, z, y, x), LPS millimetres."""
    z, y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in grid.shape), indexing="ij")
    return np.asarray(np.einsum("ij,jzyx->izyx", grid.matrix[:3, :3], np.stack([x, y, z])))


def _ellipsoid(points: _Field, radii_mm: NDArray[np.float64]) -> _Field:
    """Roughly the distance in mm to an ellipsoid around 0: positive inside."""
    scaled = np.sqrt(sum((points[i] / radii_mm[i]) ** 2 for i in range(3)))
    return np.asarray((1 - scaled) * radii_mm.min())


def _kidney(points: _Field, random: np.random.Generator) -> tuple[_Field, _Field]:
    """The cortex with the pelvis, and the pelvis alone: positive inside, roughly in mm."""
    centre = random.uniform(-9, 9, 3)
    turn = _rotation(random.uniform(-0.35, 0.35, 3))
    own = np.einsum("ij,jzyx->izyx", turn, points - centre[:, None, None, None])
    own = own * random.uniform(0.85, 1.15)
    # Waves of some millimetres on the surface: no two kidneys have one outline.
    wave = _waves(own, random, length_mm=45) * 2.5
    body = _ellipsoid(own, random.uniform([19, 17, 36], [24, 22, 44])) + wave
    hilum = np.array([-1.0, 0.0, 0.0]) * random.uniform(19, 23)
    notch = _ellipsoid(own - hilum[:, None, None, None], random.uniform([8, 12, 9], [11, 16, 14]))
    cortex = np.minimum(body, -notch)
    inner = own - (hilum * 0.3)[:, None, None, None]
    pelvis = _ellipsoid(inner, random.uniform([10, 8, 17], [13, 11, 24])) + wave * 0.6
    pelvis = np.minimum(pelvis, cortex - 1.5)
    return cortex, pelvis


def _waves(points: _Field, random: np.random.Generator, length_mm: float) -> _Field:
    """Smooth random variation, about -1..1, with bumps of about `length_mm`."""
    total = np.zeros(points.shape[1:])
    for _ in range(6):
        wave = random.normal(size=3)
        wave *= 2 * np.pi / length_mm / np.linalg.norm(wave) * random.uniform(0.5, 1.5)
        total += np.sin(np.einsum("i,izyx->zyx", wave, points) + random.uniform(0, 2 * np.pi))
    return total / 3


def _surroundings(points: _Field, random: np.random.Generator, away_from: _Field) -> _Field:
    """Fat and muscle, organs as bright as the kidney, and bright vessels; outside the body nothing."""
    tissue = 0.24 + 0.05 * _waves(points, random, length_mm=60)
    free = away_from < -3.0
    for brightness in (0.5, 0.42, 0.62):
        side = random.normal(size=3)
        centre = side / np.linalg.norm(side) * random.uniform(42, 58)
        organ = _ellipsoid(points - centre[:, None, None, None], random.uniform(14, 30, 3))
        organ = organ + _waves(points, random, length_mm=40) * 2
        tissue = np.where((organ > 0) & free, brightness * random.uniform(0.9, 1.1), tissue)
    for _ in range(3):
        along = random.normal(size=3)
        along /= np.linalg.norm(along)
        apart = points - random.uniform(-35, 35, 3)[:, None, None, None]
        across = apart - along[:, None, None, None] * np.einsum("i,izyx->zyx", along, apart)
        vessel = np.linalg.norm(across, axis=0) < random.uniform(2.5, 5)
        tissue = np.where(vessel & free, random.uniform(0.75, 1.0), tissue)
    body = _ellipsoid(points, np.array([68.0, 66.0, 90.0])) + 3 * _waves(points, random, length_mm=80)
    return np.where(body > 0, tissue, 0.02)


def _acquire(tissue: _Field, points: _Field, grid: Grid, random: np.random.Generator) -> NDArray[np.int16]:
    """See the tissue as a scanner does: texture, partial volumes, coil shading, noise, arbitrary units."""
    texture = ndimage.gaussian_filter(random.normal(size=tissue.shape), 1.0)
    signal = tissue * (1 + 0.10 * texture / texture.std())
    signal = ndimage.gaussian_filter(signal, 0.55)
    shading = np.exp(0.25 * _waves(points, random, length_mm=220))
    signal = np.clip(signal, 0, None) ** random.uniform(0.85, 1.2) * shading
    noise = random.uniform(0.03, 0.06)
    # The magnitude of a complex signal: Rician noise, which never falls below 0.
    real, imaginary = random.normal(scale=noise, size=(2, *tissue.shape))
    magnitude = np.hypot(signal + real, imaginary)
    return np.asarray(np.rint(magnitude * random.uniform(300, 1500)), dtype=np.int16)
