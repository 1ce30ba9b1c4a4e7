"""Which prediction belongs to which reference when two folders are compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medssl.access import cannot_be_read, is_file, is_folder
from medssl.errors import DataError, UsageError
from medssl.imaging.formats import READABLE, stem_of, suffix_of


@dataclass(frozen=True)
class Pair:
    """Files of one case: what was predicted, what is true, and the scan where there is one."""

    name: str
    prediction: Path
    reference: Path
    scan: Path | None


def find_pairs(predictions: Path, references: Path, scans: Path | None) -> list[Pair]:
    """Pair the label maps of two folders by their names without endings; every reference needs a prediction.

    Predictions without a reference are no part of the comparison. A reference without a prediction is
    refused, because leaving it out would make the scores look better than they are.

    Raises:
        UsageError: a folder does not exist.
        DataError: a folder may not be read, a reference has no prediction, or there is none at all.
    """
    predicted, true = _volumes(predictions), _volumes(references)
    images = {} if scans is None else _volumes(scans)
    if not true:
        raise DataError(f"{references} holds no label maps.", f"They end in {', '.join(READABLE)}.")
    # nnU-Net-style scans carry a channel number that their label maps do not, and what was segmented of them
    # has their names.
    paired = {name: predicted.get(name) or predicted.get(f"{name}_0000") for name in true}
    missing = [name for name, path in paired.items() if path is None]
    if missing:
        named = missing[0] if len(missing) == 1 else f"{missing[0]} and others"
        raise DataError(
            f"{predictions} lacks {len(missing)} of the {len(true)} references' cases: {named}.",
            "Segment those scans too, or take their references out of the folder.",
        )
    return [
        Pair(name, prediction, true[name], images.get(name) or images.get(f"{name}_0000"))
        for name, prediction in paired.items()
        if prediction is not None
    ]


def _volumes(folder: Path) -> dict[str, Path]:
    if not is_folder(folder, DataError):
        raise UsageError(f"The folder {folder} does not exist.", "Check the path.")
    found: dict[str, Path] = {}
    for path in sorted(_files(folder)):
        if suffix_of(path) is None or not is_file(path, DataError):
            continue
        name = path.relative_to(folder).with_name(stem_of(path)).as_posix()
        if name in found:
            raise DataError(f"{found[name]} and {path} have one name.", "Keep one of the two.")
        found[name] = path
    return found


def _files(top: Path) -> Iterator[Path]:
    """Whatever lies in a folder and below, but for what is hidden.

    Raises:
        DataError: a folder may not be read, which `Path.rglob` would pass over.
    """

    def refuse(error: OSError) -> None:
        raise cannot_be_read(error, Path(error.filename), DataError) from error

    for parent, folders, names in os.walk(top, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))
