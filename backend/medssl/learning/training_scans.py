"""What the scans that a model learned from were like, so that a scan can be told from them later by facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from medssl.errors import MedSSLError
from medssl.imaging.canonical import Canonical
from medssl.imaging.dicom import only_series, series_grid
from medssl.imaging.reading import read_grid
from medssl.imaging.volume import Grid
from medssl.learning.card import Millimetres, TrainingScans
from medssl.learning.facts import ChannelFacts, ScanFacts
from medssl.learning.plan import Normalisation
from medssl.project import Case

# What people call channels, and DICOM's name for the kind of scanner.
_MODALITIES = {
    "CT": r"ct|cta|cbct",
    "MR": r"mri?|t1\w*|t2\w*|flair|adc|dwi|dti|pd\w*|swi|lge|cine|bssfp",
    "PT": r"pet|pt|suv|fdg",
    "US": r"us|ultrasound",
}
_PLANES = ("axial", "coronal", "sagittal")  # what slices are called that are stacked along z, y, x


def look_at_scans(
    cases: Iterable[Sequence[Path]], channel_names: Sequence[str], normalisation: Sequence[Normalisation]
) -> TrainingScans | None:
    """Read the headers of the cases that a model learns from; None when none can be read.

    Args:
        cases: the channels of each; the first stands for all, which share its grid.
        channel_names: what the project calls them; tells the modality where no DICOM header does.
        normalisation: of the plan; fixed windows are what CT is seen through.
    """
    spacings, extents, planes, modalities = [], [], set[str](), set[str]()
    for channels in cases:
        try:
            grid, modality = _look(channels[0])
        except (MedSSLError, OSError):
            continue  # a scan that has gone since; the others tell enough
        canonical = Canonical.of(grid)
        shape = np.array([grid.shape[axis] for axis in canonical.order])
        spacings.append(np.array(canonical.spacing_mm))
        extents.append(shape * canonical.spacing_mm)
        planes.add(slice_plane(grid))
        modalities |= {modality} - {""}
    if not spacings:
        return None
    if not modalities:
        modalities = set(modalities_of(channel_names))
    if not modalities and all(each.kind == "window" for each in normalisation):
        modalities = {"CT"}
    return TrainingScans(
        modalities=tuple(sorted(modalities)),
        finest_mm=_triple(np.min(spacings, axis=0)),
        coarsest_mm=_triple(np.max(spacings, axis=0)),
        smallest_mm=_triple(np.min(extents, axis=0)),
        largest_mm=_triple(np.max(extents, axis=0)),
        planes=tuple(sorted(planes)),
    )


def read_headers(cases: Iterable[Case]) -> list[ScanFacts]:
    """What headers tell a planner, without reading a voxel; cases that cannot be read are left out."""
    unknown = ChannelFacts(0.0, False, np.empty(0), np.empty(0))
    found = []
    for case in cases:
        try:
            canonical = Canonical.of(grid := _look(case.channels[0])[0])
        except (MedSSLError, OSError):
            continue  # the training says so where it needs them
        z, y, x = (grid.shape[axis] for axis in canonical.order)
        channels = (unknown,) * len(case.channels)
        found.append(ScanFacts(case.name, (z, y, x), canonical.spacing_mm, channels, None))
    return found


def modalities_of(channel_names: Sequence[str]) -> tuple[str, ...]:
    """DICOM's modalities that channels are named after: `("MRI",)` gives `("MR",)`; empty when unknown."""
    found = (
        next((kind for kind, words in _MODALITIES.items() if re.fullmatch(words, name.strip(), re.I)), "")
        for name in channel_names
    )
    return tuple(dict.fromkeys(filter(None, found)))


def slice_plane(grid: Grid) -> str:
    """The plane that the slices of a scan lie in, more or less: `axial`, `coronal` or `sagittal`."""
    return _PLANES[Canonical.of(grid).order.index(0)]


def _look(path: Path) -> tuple[Grid, str]:
    if not path.is_dir():
        return read_grid(path), ""
    series = only_series(path)
    return series_grid(series), series.header.modality


def _triple(values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> Millimetres:
    z, y, x = (round(float(value), 3) for value in values)
    return z, y, x
