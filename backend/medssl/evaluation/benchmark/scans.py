"""Telling data sets apart that have the same name: an export of last year, and the one of today."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from medssl.errors import UsageError
from medssl.exchange.datasets import Dataset
from medssl.storage import storage_error, write_text

SCANS = "scans.json"  # the fingerprint of each data set that a benchmark's folder has results of


def fingerprint(dataset: Dataset) -> str:
    """Return 16 hexadecimal digits of the names, the order and the files' sizes of all cases.

    No voxel is read, and where the data set lies does not matter.

    Raises:
        StorageError: a file cannot be looked at.
    """
    cases = [
        (case.name, *map(_size, case.channels), None if case.labels is None else _size(case.labels))
        for case in dataset.cases
    ]
    return sha256(json.dumps(cases).encode()).hexdigest()[:16]


def check_same_scans(dataset: Dataset, output: Path) -> None:
    """Make sure that results in a benchmark's folder are of these very scans, and note whose they are.

    Raises:
        UsageError: the folder has results of other scans under the same name.
        StorageError: the note cannot be written.
    """
    note = output / SCANS
    try:
        known = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{note} cannot be read.", "Choose another output folder.") from error
    if not isinstance(known, dict):
        raise UsageError(f"{note} is not a benchmark's.", "Choose another output folder.")
    ours = fingerprint(dataset)
    if known.setdefault(dataset.name, ours) != ours:
        raise UsageError(
            f"{output} has results of other scans that are called '{dataset.name}' too, or those in "
            f"{dataset.folder} have changed since.",
            "Choose another output folder.",
        )
    write_text(note, json.dumps(known, indent=1, ensure_ascii=False) + "\n")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise storage_error(error, path) from error
