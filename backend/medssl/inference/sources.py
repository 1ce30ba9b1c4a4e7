"""What a folder run has to segment: scans, or groups of scans when a model wants several channels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from medssl.errors import DataError, ImageError
from medssl.events import Monitor
from medssl.imaging.multichannel import look_inside
from medssl.imaging.scans import Scan
from medssl.inference.inputs import find_inputs
from medssl.inference.series_sources import series_sources
from medssl.inference.settings import FolderSettings
from medssl.inference.source import Source
from medssl.learning.model import Model
from medssl.words import counted

_CHANNEL = re.compile(r"(?P<name>.+)_(?P<channel>\d{4})")


def find_sources(
    inputs: Sequence[Path], output: Path, model: Model, settings: FolderSettings, monitor: Monitor
) -> list[Source]:
    """Find what there is to segment, sorted by name. Several inputs can hold scans of one name.

    Files that a run has written are not scans, wherever they lie: neither those in `output`, which may lie
    inside an input folder, nor those of any other run. When the model has several channels, the files of one
    scan end in `_0000`, `_0001`, ... in the order of the channels, as nnU-Net names them, or one file holds
    all channels, as in the Decathlon; for DICOM series see `series_sources`.

    Args:
        inputs: folders, and single files.
        output: the output folder.
        model: names its channels, and what it learned from.
        settings: whether to look into folders inside the input folders, and what is said of DICOM series.
        monitor: hears how many files of a DICOM tree were looked at, and may cancel.

    Raises:
        Cancelled: the monitor was cancelled.
        DataError: there is nothing to segment.
        UsageError: the rules for channels do not fit the model.
    """

    def heard(done: int, total: int) -> None:
        monitor.check()
        if done:  # a small tree is not worth a line
            monitor.progress("Looking at the files", done, total)

    scans: list[Scan] = []
    for path in inputs:
        found = find_inputs(path, output, settings.recursive, settings.names, heard)
        if len(inputs) > 1 and path.is_dir():
            found = [_below(scan, path.resolve().name) for scan in found]
        scans += found
    files, channels = [scan for scan in scans if scan.series is None], model.plan.channel_names
    sources = _grouped(files, channels) if len(channels) > 1 else _single(files)
    series = [scan for scan in scans if scan.series is not None]
    sources += series_sources(series, channels, model.card.scans, settings)
    if not sources:
        where = ", ".join(str(path) for path in inputs)
        raise DataError(
            f"No scan was found in {where}.",
            "Give a folder with NIfTI, NRRD, MHA or DICOM scans; MedSSL's own segmentations do not count.",
        )
    return sorted(sources, key=lambda source: source.name)


def _below(scan: Scan, folder: str) -> Scan:
    """Put a scan below the name of its input folder; but a neutral name is told apart without it."""
    if scan.series is not None and scan.series.names == "neutral":
        return scan
    return replace(scan, relative=Path(folder) / scan.relative)


def _single(scans: Iterable[Scan]) -> list[Source]:
    return [Source(scan.relative, (scan,), scan.problem, scan.unfit) for scan in scans]


def _grouped(scans: Iterable[Scan], channels: Sequence[str]) -> list[Source]:
    # By folder too: other inputs can hold another patient's scan of the same name.
    groups: dict[tuple[Path, Path], dict[int, Scan]] = {}
    sources = []
    wanted = f"the model needs {counted(len(channels), 'channel')} ({', '.join(channels)})"
    for scan in scans:
        if scan.problem or scan.unfit:
            sources += _single([scan])
            continue
        looked, held = _look(scan)
        if held == len(channels):
            sources.append(Source(scan.relative, (scan,), inside=held))
            continue
        match = _CHANNEL.fullmatch(scan.relative.name)
        if match is None or int(match["channel"]) >= len(channels):
            last = f"_{len(channels) - 1:04d}"
            advice = f"Name the files of one scan with _0000 to {last} at the end, or put them into one file."
            reason = looked.problem or f"{scan.source}: {wanted}. {advice}"
            sources.append(Source(scan.relative, (scan,), reason))
            continue
        place = (scan.source.parent, scan.relative.with_name(match["name"]))
        groups.setdefault(place, {})[int(match["channel"])] = looked
    for (_, relative), group in groups.items():
        found = tuple(group[index] for index in sorted(group))
        missing = [name for index, name in enumerate(channels) if index not in group]
        problem = next((scan.problem for scan in found if scan.problem is not None), None)
        if missing and problem is None:
            problem = f"{found[0].source}: {wanted}, and {', '.join(missing)} is missing beside this file."
        sources.append(Source(relative, found, problem))
    return sources


def _look(scan: Scan) -> tuple[Scan, int]:
    """Say how many channels a scan's file holds; one that cannot be read holds none, and says why."""
    try:
        inside = look_inside(scan.source)
    except ImageError as error:
        return replace(scan, problem=str(error)), 0
    return scan, 1 if inside is None else inside[1]
