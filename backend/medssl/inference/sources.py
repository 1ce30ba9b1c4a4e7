"""What a folder run has to segment: scans, or groups of scans when a model wants several channels."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from medssl.errors import DataError, MedSSLError
from medssl.imaging.reading import read_grid
from medssl.imaging.scans import Scan, find_scans
from medssl.imaging.volume import Volume
from medssl.inference.ledger import FOLDER, Ledger

_CHANNEL = re.compile(r"(?P<name>.+)_(?P<channel>\d{4})")
_WITH_VOXELS_APART = (".nhdr", ".mhd")  # headers whose voxels are in another file of the same stem


@dataclass(frozen=True)
class Source:
    """One segmentation to be: the channels it is made from, in the model's order.

    Attributes:
        relative: where the segmentation goes below the output folder, without suffix.
        channels: the scans; empty or incomplete when there is a problem.
        problem: why it cannot be segmented, or None.
    """

    relative: Path
    channels: tuple[Scan, ...]
    problem: str | None = None

    @property
    def name(self) -> str:
        """The same on every system: `sub/folder/scan`."""
        return self.relative.as_posix()

    def read(self) -> tuple[Volume, ...]:
        """Read every channel."""
        return tuple(scan.read() for scan in self.channels)

    def voxels(self) -> int:
        """Number of voxels of all channels, from the headers alone; 0 when they cannot be read."""
        try:
            grids = [read_grid(s.source) if s.series is None else s.series.grid for s in self.channels]
        except MedSSLError:
            return 0  # reading will tell why
        return sum(math.prod(grid.size) for grid in grids if grid is not None)

    def fingerprint(self) -> str:
        """Changes when a file of the scan is replaced, edited, added or removed."""
        digest = hashlib.sha256()
        for scan in self.channels:
            for path in _files(scan):
                facts = path.stat()
                digest.update(f"{path.name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def find_sources(
    inputs: Sequence[Path], output: Path, channels: Sequence[str], recursive: bool
) -> list[Source]:
    """Find what there is to segment, sorted by name.

    Files that a run has written are not scans, wherever they lie: neither those in `output`, which may lie
    inside an input folder, nor those of any other run. When the model has several channels, the files of one
    scan end in `_0000`, `_0001`, ... in the order of the channels, as nnU-Net names them.

    Args:
        inputs: folders, and single files.
        output: the output folder.
        channels: the names of the model's channels.
        recursive: also look into folders inside the input folders.

    Raises:
        DataError: there is nothing to segment.
    """
    scans: list[Scan] = []
    for path in inputs:
        found = find_scans(path, recursive)
        if len(inputs) > 1 and path.is_dir():
            found = [replace(scan, relative=Path(path.resolve().name) / scan.relative) for scan in found]
        scans += _without_outputs(found, path, output)
    sources = _grouped(scans, channels) if len(channels) > 1 else _single(scans)
    if not sources:
        where = ", ".join(str(path) for path in inputs)
        raise DataError(
            f"No scan was found in {where}.",
            "Give a folder with NIfTI, NRRD, MHA or DICOM scans; MedSSL's own segmentations do not count.",
        )
    return _told_apart(sorted(sources, key=lambda source: source.name))


def _told_apart(sources: Iterable[Source]) -> list[Source]:
    """Number the sources whose outputs would have one name, which several inputs can bring about."""
    taken: set[str] = set()
    kept = []
    for source in sources:
        names = (source.relative.with_name(f"{source.relative.name}-{n}") for n in count(2))
        free = next(path for path in chain((source.relative,), names) if str(path).casefold() not in taken)
        taken.add(str(free).casefold())
        kept.append(replace(source, relative=free))
    return kept


def _without_outputs(scans: Iterable[Scan], top: Path, output: Path) -> list[Scan]:
    """Leave out what a run has written: into `output`, or into a folder from `top` down that has a ledger."""
    top, output = top.resolve(), output.resolve()
    ledgers: dict[Path, frozenset[Path]] = {}
    kept = []
    for scan in scans:
        source = scan.source.resolve()
        folders = [folder for folder in (source, *source.parents) if folder.is_relative_to(top)]
        if output != top and output in folders:
            continue
        for folder in folders:
            if folder not in ledgers:
                ledgers[folder] = Ledger(folder).paths if (folder / FOLDER).is_dir() else frozenset()
        if not any(source in ledgers[folder] for folder in folders):
            kept.append(scan)
    return kept


def _single(scans: Iterable[Scan]) -> list[Source]:
    return [Source(scan.relative, (scan,), scan.problem) for scan in scans]


def _grouped(scans: Iterable[Scan], channels: Sequence[str]) -> list[Source]:
    groups: dict[Path, dict[int, Scan]] = {}
    sources = []
    wanted = f"the model needs {len(channels)} channels ({', '.join(channels)})"
    for scan in scans:
        match = _CHANNEL.fullmatch(scan.relative.name)
        if match is None or int(match["channel"]) >= len(channels):
            last = f"_{len(channels) - 1:04d}"
            advice = f"Name the files of one scan with _0000 to {last} at the end."
            sources.append(Source(scan.relative, (scan,), f"{scan.source}: {wanted}. {advice}"))
            continue
        groups.setdefault(scan.relative.with_name(match["name"]), {})[int(match["channel"])] = scan
    for relative, group in groups.items():
        found = tuple(group[index] for index in sorted(group))
        missing = [name for index, name in enumerate(channels) if index not in group]
        problem = next((scan.problem for scan in found if scan.problem is not None), None)
        if missing:
            problem = f"{found[0].source}: {wanted}, and {', '.join(missing)} is missing beside this file."
        sources.append(Source(relative, found, problem))
    return sources


def _files(scan: Scan) -> list[Path]:
    if scan.series is not None:
        return sorted(scan.series.files)
    if scan.source.suffix.lower() in _WITH_VOXELS_APART:
        stem = f"{scan.source.stem}."
        return sorted(path for path in scan.source.parent.iterdir() if path.name.startswith(stem))
    return [scan.source]
