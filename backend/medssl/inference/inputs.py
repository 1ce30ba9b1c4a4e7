"""The scans below a path that was given to be segmented, without what earlier runs have written there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medssl.imaging.formats import SeriesNames
from medssl.imaging.scans import Scan, find_scans


def find_inputs(
    path: Path, output: Path | None, recursive: bool, names: SeriesNames, heard: Callable[[int, int], None]
) -> list[Scan]:
    """List the scans of a folder, or the one of a file.

    Files that a run has written are not scans, wherever they lie: neither any in `output`, which may lie
    inside the folder, nor those of any other run.

    Args:
        path: a folder, or a file.
        output: where results will be; None when that is on another computer.
        recursive: also in folders inside the folder.
        names: what DICOM series are called, see `find_scans`.
        heard: told how many DICOM files of how many were looked at; may raise to stop.

    Raises:
        ImageError: there is no such path, it may not be read, or it is a project.
    """
    found = find_scans(path, recursive, names, heard)
    if output is None or path.resolve() not in output.resolve().parents:
        return found
    return [scan for scan in found if not scan.source.resolve().is_relative_to(output.resolve())]
