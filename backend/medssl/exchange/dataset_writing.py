"""A project's cases as a data set of others: nnU-Net's layout (version 2), or the Decathlon's.

nnU-Net wants one file a channel, classes that count from 0 and 'ignore' as the highest one; the Decathlon has
one file a case, 4D where a case has several channels, and lists every file. Cases without annotation go to
`imagesTs`, for neither layout knows unlabelled training cases. Scans that are packed NIfTI are copied byte
for byte, others are written as NIfTI on their own grid.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medssl.access import is_folder
from medssl.errors import DataError, GridError, StorageError
from medssl.exchange.formats import DatasetFormat
from medssl.imaging.labels import read_values_on
from medssl.imaging.multichannel import joined
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_image, write_volume
from medssl.labels import UNANNOTATED, LabelSchema, count_values, plain_name
from medssl.storage import publish, staging_folder, write_text

_PACKED = ".nii.gz"
_IGNORE = "ignore"  # nnU-Net's name for what nobody annotated
_RESERVED = {  # names that say what no segment is, in either layout and whatever their case
    "background": "what is no segment",
    _IGNORE: "what nobody annotated",
}
_NAME_BYTES = 200  # leaves room for channel and ending in the 255 bytes a file's name may have
_ODD = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class CaseFiles:
    """A case to write: its channels, its annotation where there is one, and whether it is for validation."""

    name: str
    channels: tuple[Path, ...]
    labels: Path | None = None
    validation: bool = False


def write_dataset(
    target: Path,
    name: str,
    schema: LabelSchema,
    channel_names: Sequence[str],
    cases: Sequence[CaseFiles],
    layout: DatasetFormat,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[str, ...]:
    """Write the data set; it appears at once when it is complete.

    Args:
        target: a folder that is empty or does not exist.
        name: of the data set.
        schema: the project's; its names travel, its colours and codes do not. A segment that is called
            'background' or 'ignore', which mean something else there, gets another name.
        channel_names: one a channel.
        cases: what to write.
        layout: in whose way.
        progress: hears how many cases are written; may raise to stop.

    Returns:
        What a person should know, one sentence each; mostly nothing.

    Raises:
        DataError: no case is annotated.
        StorageError: something is in the folder, or it cannot be written.
        ImageError, LabelError: a file of a case cannot be read.
        GridError: the files of a case's channels were changed: they do not lie on one grid any more, or have
            other voxels than those that were annotated.
    """
    if not any(case.labels for case in cases):
        raise DataError("No case is annotated, so there is no data set to write.", "Annotate a case first.")
    if is_folder(target, StorageError) and any(target.iterdir()):
        raise StorageError(f"{target} is not empty.", "Choose another folder.")
    named = _named(cases)
    names = segment_names(schema.names)
    values = dict(zip(names, range(1, len(names) + 1) if layout == "nnunet" else schema.values, strict=True))
    with staging_folder(target.parent) as staging:
        folder = staging / "dataset"
        partly = False
        for done, (stem, case) in enumerate(named.items(), start=1):
            partly |= _write_case(folder, stem, case, schema, layout)
            progress(done)
        description = (
            _nnunet(named, channel_names, values, partly)
            if layout == "nnunet"
            else _decathlon(name, named, channel_names, values, partly)
        )
        write_text(folder / "dataset.json", json.dumps(description, indent=2) + "\n")
        validation = [stem for stem, case in named.items() if case.labels and case.validation]
        if layout == "nnunet" and validation:
            training = [stem for stem, case in named.items() if case.labels and not case.validation]
            splits = [{"train": training, "val": validation}]
            write_text(folder / "splits_final.json", json.dumps(splits, indent=2) + "\n")
        if target.is_dir():
            target.rmdir()
        publish(folder, target)
    return _notes(schema.names, names)


def _notes(names: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """Say which segments have another name in the data set."""
    return tuple(
        f"The segment '{own}' is called '{other}' in the data set, where '{own}' means "
        f"{_RESERVED[plain_name(own).casefold()]}."
        for own, other in zip(names, given, strict=True)
        if own != other
    )


def segment_names(names: Sequence[str]) -> list[str]:
    """The names of segments in a data set: others where theirs mean something else there."""
    taken = {name.casefold() for name in names}
    given = []
    for name in names:
        free, number = name, 1
        while plain_name(free).casefold() in _RESERVED or (free != name and free.casefold() in taken):
            free = f"{name} (segment)" if number == 1 else f"{name} (segment {number})"
            number += 1
        taken.add(free.casefold())
        given.append(free)
    return given


def _named(cases: Sequence[CaseFiles]) -> dict[str, CaseFiles]:
    """Give every case a name that is one of its own as a file too."""
    named: dict[str, CaseFiles] = {}
    taken: set[str] = set()
    for case in cases:
        whole = _ODD.sub("_", case.name).strip("._").encode()
        stem = whole[:_NAME_BYTES].decode(errors="ignore") or "case"
        number = 1
        while (free := stem if number == 1 else f"{stem}-{number}").casefold() in taken:
            number += 1
        taken.add(free.casefold())
        named[free] = case
    return named


def _write_case(folder: Path, stem: str, case: CaseFiles, schema: LabelSchema, layout: DatasetFormat) -> bool:
    """Write a case; returns whether parts of it are not annotated."""
    part = "Tr" if case.labels else "Ts"
    if layout == "nnunet":
        for channel, path in enumerate(case.channels):
            _write_channel(folder / f"images{part}" / f"{stem}_{channel:04d}{_PACKED}", path)
    elif len(case.channels) == 1:
        _write_channel(folder / f"images{part}" / f"{stem}{_PACKED}", case.channels[0])
    else:
        write_image(folder / f"images{part}" / f"{stem}{_PACKED}", _joined(case.channels))
    if case.labels is None:
        return False
    labels = read_values_on(case.labels, case.channels[0])
    array: NDArray[np.uint8] = labels.array
    schema.check(np.flatnonzero(count_values(array)), str(case.labels))
    partly = bool((array == UNANNOTATED).any())
    if layout == "nnunet":
        array = schema.to_classes(array)
        array[array == UNANNOTATED] = schema.class_count
    write_volume(folder / f"labels{part}" / f"{stem}{_PACKED}", Volume(array, labels.grid))
    return partly


def _joined(channels: Sequence[Path]) -> sitk.Image:
    """Make one image of all channels, which were on one grid when the case was added."""
    volumes = [read_volume(path) for path in channels]
    grid = volumes[0].grid
    for path, volume in zip(channels, volumes, strict=True):
        if not grid.agrees_with(volume.grid):
            raise GridError(
                f"{path} lies on another grid than {channels[0]}, the first channel of its case.",
                "Resample the channels of the case onto one grid, and add the case anew.",
            )
    return joined(volumes)


def _write_channel(target: Path, source: Path) -> None:
    if source.name.lower().endswith(_PACKED):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return
    write_volume(target, read_volume(source))


def _nnunet(
    cases: Mapping[str, CaseFiles], channels: Sequence[str], values: Mapping[str, int], partly: bool
) -> dict[str, object]:
    labels = {"background": 0, **values}
    if partly:
        labels[_IGNORE] = len(labels)
    return {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        "labels": labels,
        "numTraining": sum(case.labels is not None for case in cases.values()),
        "file_ending": _PACKED,
    }


def _decathlon(
    name: str,
    cases: Mapping[str, CaseFiles],
    channels: Sequence[str],
    values: Mapping[str, int],
    partly: bool,
) -> dict[str, object]:
    labels = {"0": "background", **{str(value): label for label, value in values.items()}}
    if partly:
        labels[str(UNANNOTATED)] = "not annotated"
    training = [
        {"image": f"./imagesTr/{stem}{_PACKED}", "label": f"./labelsTr/{stem}{_PACKED}"}
        for stem, case in cases.items()
        if case.labels
    ]
    test = [f"./imagesTs/{stem}{_PACKED}" for stem, case in cases.items() if not case.labels]
    return {
        "name": name,
        "tensorImageSize": "3D" if len(channels) == 1 else "4D",
        "modality": {str(number): channel for number, channel in enumerate(channels)},
        "labels": labels,
        "numTraining": len(training),
        "numTest": len(test),
        "training": training,
        "test": test,
    }
