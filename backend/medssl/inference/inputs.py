"""The scans below a path that was given to be segmented, without what earlier runs have written there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from medssl.imaging.formats import SeriesNames
from medssl.imaging.scans import Scan, find_scans
from medssl.inference.ledger import FOLDER, Ledger


def find_inputs(
    path: Path, output: Path | None, recursive: bool, names: SeriesNames, heard: Callable[[int, int], None]
) -> list[Scan]:
    """List the scans of a folder, or the one of a file.

    Files that a run has written are not scans, wherever they lie: neither those in `output`, which may lie
    inside the folder, nor those of any other run.

    Args:
        path: a folder, or a file.
        output: where results will be; None when that is on another computer.
        recursive: also in folders inside the folder.
        names: what DICOM series are called, see `find_scans`.
        heard: told how many DICOM files of how many were looked at; may raise to stop.

    Raises:
        ImageError: there is no such path, or it may not be read.
    """
    return _without_outputs(find_scans(path, recursive, names, heard), path, output)


def _without_outputs(scans: Iterable[Scan], top: Path, output: Path | None) -> list[Scan]:
    """Leave out what a run has written: into `output`, or into a folder from `top` down that has a ledger."""
    top, output = top.resolve(), None if output is None else output.resolve()
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
