"""From facts about the cases and the machine to a plan, and plans as files."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from medssl.errors import DataError, ModelError
from medssl.faults import first_fault
from medssl.labels import LabelSchema
from medssl.learning.distance import DEFAULT_SATURATION_MM, saturation_of_radii
from medssl.learning.facts import ChannelFacts, ScanFacts
from medssl.learning.plan import PLAN_FORMAT, NetworkShape, Normalisation, Plan, Triple
from medssl.machine import Machine
from medssl.storage import write_text
from medssl.words import counted

_CT_AIR = -500.0  # Hounsfield units: a CT of a body holds darker voxels, a scan of another kind rarely does
_CT_BRIGHTEST = 3000.0  # phase images are whole numbers with large negative ones too, but as bright as dark
_SMALLEST_LEVEL = 4  # voxels a side of the coarsest level: below, a convolution sees mostly its padding
_RESTORE = "Correct it, or copy it again from where MedSSL wrote it."
_FULL_PATCH_BYTES = 10 << 30  # GPU memory with which the largest patch trains comfortably


@dataclass(frozen=True)
class _Budget:
    """What the machine can train with in reasonable time."""

    working_voxels: int  # of a case at the plan's spacing
    patch_voxels: int
    batch_size: int
    features: tuple[int, ...]
    finest_convolutions: int


def make_plan(
    scans: Sequence[ScanFacts],
    schema: LabelSchema,
    channel_names: Sequence[str],
    machine: Machine,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
) -> Plan:
    """Derive a plan from the cases.

    The spacing is the median one, coarser on the finest axes first where a median case would have more
    voxels than the machine can train on; the patch has the proportions of the median case; strides
    spare the axes that are coarse already.

    Args:
        scans: facts about the cases, or a fair sample of them.
        schema: the project's.
        channel_names: one a channel.
        machine: what it will train on.
        spacing_mm: (z, y, x) in canonical orientation, instead of the derived one.

    Raises:
        DataError: no scans, or scans with different numbers of channels.
    """
    _check(scans, channel_names)
    budget = _budget(machine)
    own = np.median([scan.spacing_mm for scan in scans], axis=0)
    extent_mm = np.median([np.multiply(scan.shape, scan.spacing_mm) for scan in scans], axis=0)
    spacing = spacing_mm or _affordable_spacing(own, extent_mm, budget.working_voxels)
    z, y, x = (max(1, round(side / step)) for side, step in zip(extent_mm, spacing, strict=True))
    network = _network((z, y, x), spacing, len(channel_names), schema.class_count, budget)
    radii = [scan.radii_mm for scan in scans if scan.radii_mm is not None]
    return Plan(
        label_schema=schema,
        channel_names=tuple(channel_names),
        spacing_mm=spacing,
        normalisation=tuple(
            _normalisation([scan.channels[i] for scan in scans]) for i in range(len(channel_names))
        ),
        patch_size=_patch((z, y, x), network.divisor, spacing, budget.patch_voxels),
        batch_size=budget.batch_size,
        network=network,
        level_set_mm=saturation_of_radii(radii, spacing)
        if radii
        else (DEFAULT_SATURATION_MM,) * (schema.class_count - 1),
    )


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan as readable JSON, atomically."""
    write_text(path, plan.model_dump_json(indent=2) + "\n")


def read_plan(path: Path) -> Plan:
    """Read a plan that `write_plan` wrote.

    Raises:
        ModelError: the file is missing or damaged, or a newer MedSSL wrote it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        found = content["format"]
    except OSError as error:
        raise ModelError(
            f"The plan {path} cannot be read: {error.strerror}.", "Check that the model's folder is complete."
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is not a plan of MedSSL.", _RESTORE) from error
    if isinstance(found, int) and found > PLAN_FORMAT:
        raise ModelError(f"A newer MedSSL wrote {path} (format {found}).", "Update MedSSL to use this model.")
    try:
        return Plan.model_validate(content)
    except ValidationError as error:
        raise ModelError(f"The plan {path} is damaged: {first_fault(error)}.", _RESTORE) from error


def _check(scans: Sequence[ScanFacts], channel_names: Sequence[str]) -> None:
    if not scans:
        raise DataError("There is no case to plan for.", "Add cases to the project first.")
    for scan in scans:
        if len(scan.channels) != len(channel_names):
            raise DataError(
                f"The case {scan.name} has {counted(len(scan.channels), 'channel')}, "
                f"but the project has {len(channel_names)}.",
                "Add the case again with one volume for each channel.",
            )


def _budget(machine: Machine) -> _Budget:
    if machine.gpu is None:
        return _Budget(150_000, 61_440, 2, (8, 16, 32, 64), finest_convolutions=1)
    free = machine.gpu.memory_free_bytes
    patch = int(112 * 112 * 80 * min(1.0, max(0.1, free / _FULL_PATCH_BYTES)))
    batch = 4 if free >= 2 * _FULL_PATCH_BYTES else 2
    return _Budget(16_000_000, patch, batch, (32, 64, 128, 256, 320), finest_convolutions=2)


def _affordable_spacing(
    own: NDArray[np.float64],
    extent_mm: NDArray[np.float64],
    most_voxels: int,
) -> tuple[float, float, float]:
    """The scan's own spacing, with the finest axes made coarser until a case has at most `most_voxels`."""

    def voxels(floor: float) -> float:
        return float(np.prod(np.maximum(extent_mm / np.maximum(own, floor), 1.0)))

    fine, coarse = float(own.min()), float(max(own.max(), extent_mm.max()))
    if voxels(fine) > most_voxels:
        for _ in range(40):
            middle = math.sqrt(fine * coarse)
            fine, coarse = (middle, coarse) if voxels(middle) > most_voxels else (fine, middle)
        fine = coarse
    z, y, x = (float(f"{max(step, fine):.3g}") for step in own)
    return z, y, x


def _network(
    shape: Triple, spacing: tuple[float, float, float], channels: int, classes: int, budget: _Budget
) -> NetworkShape:
    """Halve the axes that are within twice the finest spacing, as long as they have voxels to halve."""
    sides, steps = np.array(shape), np.array(spacing)
    strides: list[Triple] = [(1, 1, 1)]
    wide = _wide(sides, steps)
    kernels = [_kernel(wide)]
    for _ in budget.features[1:]:
        possible = _can_halve(sides)
        if not possible.any():
            break
        halved = possible & (steps < 2 * steps[possible].min())
        sides, steps = np.where(halved, -(-sides // 2), sides), np.where(halved, 2 * steps, steps)
        wide |= _wide(sides, steps)  # what a finer level looked along, a coarser one does not drop
        strides.append(_triple(np.where(halved, 2, 1)))
        kernels.append(_kernel(wide))
    if len(strides) == 1:  # a scan of a few voxels: two levels are the least an encoder and a decoder have
        strides.append((1, 1, 1))
        kernels.append(kernels[0])
    return NetworkShape(
        channels=channels,
        classes=classes,
        features=budget.features[: len(strides)],
        strides=tuple(strides),
        kernels=tuple(kernels),
        convolutions=(budget.finest_convolutions, *(2 for _ in strides[1:])),
    )


def _can_halve(sides: NDArray[np.int64]) -> NDArray[np.bool_]:
    return -(-sides // 2) >= _SMALLEST_LEVEL


def _wide(sides: NDArray[np.int64], steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Axes to look along: those on which the neighbour is at most twice as far as on the finest.

    The finest is one of those that can be halved: a few thin slices, or a single one, say nothing about how
    far a neighbour in their plane may be.
    """
    compared = _can_halve(sides) if _can_halve(sides).any() else sides > 1
    finest = steps[compared].min(initial=np.inf)
    wide: NDArray[np.bool_] = (sides > 1) & (steps <= 2 * finest)
    return wide


def _kernel(wide: NDArray[np.bool_]) -> Triple:
    return _triple(np.where(wide, 3, 1))


def _patch(shape: Triple, divisor: Triple, spacing: tuple[float, float, float], most_voxels: int) -> Triple:
    """The patch that covers most of a case, in multiples of the divisor.

    Where it cannot cover all, its proportions lie between those of the case and those of a cube.
    """

    def merit(patch: Triple) -> float:
        covered = [math.log(min(1.0, side / whole)) for side, whole in zip(patch, shape, strict=True)]
        sides = [math.log(side * step) for side, step in zip(patch, spacing, strict=True)]
        uneven = max(covered) - min(covered) + max(sides) - min(sides)
        excess = math.prod(patch) / most_voxels  # of equally good ones the smallest: padding teaches nothing
        return sum(covered) - 0.5 * uneven - 1e-3 * excess

    best = max(_patches(shape, divisor, most_voxels), key=merit, default=divisor)
    # Instance normalisation needs two voxels, also of a scan of one.
    return best if math.prod(best) > math.prod(divisor) else (best[0], best[1], 2 * best[2])


def _patches(shape: Triple, divisor: Triple, most_voxels: int) -> Iterator[Triple]:
    """Patches within a case and the limit; of those that differ in x, the longest: never worse."""
    z_sides, y_sides = (
        range(step, whole + step, step) for step, whole in zip(divisor[:2], shape[:2], strict=True)
    )
    longest = -(-shape[2] // divisor[2])
    for z, y in itertools.product(z_sides, y_sides):
        steps = min(longest, most_voxels // (z * y * divisor[2]))
        if steps > 0:
            yield z, y, steps * divisor[2]


def _normalisation(channels: Sequence[ChannelFacts]) -> Normalisation:
    """Fixed window for CT, each scan's own percentiles for the rest."""
    if not all(_looks_like_ct(channel) for channel in channels):
        return Normalisation(kind="percentile", low=0.5, high=99.5)
    measured = np.concatenate([channel.measured for channel in channels])
    structures = np.concatenate([channel.in_structures for channel in channels])
    if len(structures):
        # The structures' own range, and as much again around it: their neighbours must stay distinct.
        low, high = np.percentile(structures, [0.5, 99.5])
        margin = max(50.0, (high - low) / 2)
        low, high = low - margin, high + margin
    else:
        low, high = np.percentile(measured, [0.5, 99.5])
    inside = measured.clip(low, high)
    return Normalisation(
        kind="window",
        low=float(low),
        high=float(high),
        mean=float(inside.mean()),
        std=float(inside.std()) or 1.0,
    )


def _looks_like_ct(channel: ChannelFacts) -> bool:
    if not len(channel.measured) or not channel.whole_numbers or channel.minimum > _CT_AIR:
        return False
    return float(np.percentile(channel.measured, 99.5)) < _CT_BRIGHTEST


def _triple(values: NDArray[np.int64]) -> Triple:
    return int(values[0]), int(values[1]), int(values[2])
