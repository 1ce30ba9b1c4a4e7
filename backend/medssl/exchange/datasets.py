"""Datasets as others lay them out on disk: the Medical Segmentation Decathlon's way and nnU-Net's way.

Both keep a `dataset.json` beside `imagesTr`, `labelsTr`, `imagesTs` (and sometimes `labelsTs`). The Decathlon
lists every file and has one file a case; nnU-Net lists none and has one file a channel, `case_0000.nii.gz`,
`case_0001.nii.gz`. Mixtures are common (nnU-Net's first version lists `case.nii.gz` and stores
`case_0000.nii.gz`), so that each case is looked up in both ways.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from medssl.access import is_file, is_folder
from medssl.errors import DataError, UsageError
from medssl.faults import first_fault
from medssl.labels import BACKGROUND, UNANNOTATED, LabelSchema
from medssl.words import counted

_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".nhdr")
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})$")

_NUMBER = re.compile(r"[0-9]{1,9}")
_IGNORE = "ignore"

DESCRIPTION = "dataset.json"  # what makes a folder a dataset


@dataclass(frozen=True)
class DatasetCase:
    """One subject of a dataset.

    Attributes:
        name: the files' common name, without ending and channel number.
        channels: one file a channel, in the order of the dataset's channel names, or one 4D file of them all.
        labels: the label map, where the dataset has one.
        test: whether the dataset holds this case back for testing (`imagesTs`).
    """

    name: str
    channels: tuple[Path, ...]
    labels: Path | None
    test: bool = False


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk: what its channels and segments are called, and where its cases lie.

    Cases keep the order in which `dataset.json` lists them, or are sorted by name where it lists none; those
    held back for testing come last. `ignore` is the label value of voxels that nobody annotated, where that
    is not our own.
    """

    name: str
    folder: Path
    channel_names: tuple[str, ...]
    schema: LabelSchema
    cases: tuple[DatasetCase, ...]
    ignore: int | None = None


class _Listed(BaseModel):
    image: str | list[str]
    label: str | None = None


class _Description(BaseModel):
    """What `dataset.json` may say; everything else in it is for others."""

    model_config = ConfigDict(extra="ignore")

    name: str = ""
    modality: dict[str, str] | None = None
    channel_names: dict[str, str] | None = None
    labels: dict[str, int | str | list[int]]
    training: list[_Listed | str] = []
    test: list[_Listed | str] = []


def read_dataset(folder: Path) -> Dataset:
    """Read the description of a Decathlon- or nnU-Net-style dataset; no voxel is read.

    Raises:
        UsageError: the folder is not there or holds no `dataset.json`.
        DataError: the description cannot be read or understood, or files it promises are missing.
    """
    path = folder / DESCRIPTION
    if not is_file(path, DataError):
        there = is_folder(folder, DataError)
        what = f"{folder} holds no dataset.json" if there else f"The folder {folder} does not exist"
        raise UsageError(
            f"{what}.",
            "Choose the folder of a Decathlon- or nnU-Net-style dataset, the one with dataset.json.",
        )
    description = _read_description(path)
    channel_names = _channel_names(description, path)
    labels = _label_names(description.labels, path)
    training = _find_cases(folder, description.training, "Tr", path)
    test = _find_cases(folder, description.test, "Ts", path)
    cases = _complete(training, test, channel_names, path)
    return Dataset(
        name=description.name.strip() or folder.resolve().name,
        folder=folder,
        channel_names=channel_names,
        schema=_schema(labels, path),
        cases=cases,
        ignore=next((v for v, label in labels if v != UNANNOTATED and _means_ignore(v, label)), None),
    )


def _read_description(path: Path) -> _Description:
    remedy = "Correct the file; the dataset's publisher may have a newer one."
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:  # ValueErrors: of the text and of the JSON
        raise DataError(f"{path} cannot be read: {error}.", remedy) from error
    try:
        return _Description.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path} is not a dataset's description: {first_fault(error)}.", remedy) from error


def _channel_names(description: _Description, path: Path) -> tuple[str, ...]:
    named = description.channel_names or description.modality
    if not named:
        raise DataError(
            f"{path} names no channels.", 'Add "channel_names": {"0": "MRI"} or what the scans are.'
        )
    try:
        ordered = sorted((int(number), name) for number, name in named.items())
    except ValueError as error:
        raise DataError(
            f"{path} numbers its channels {', '.join(named)}.",
            "Number them 0, 1, 2, ... in the order of the files.",
        ) from error
    if [number for number, _ in ordered] != list(range(len(ordered))):
        raise DataError(
            f"{path} numbers its channels {', '.join(named)}.", "Number them 0, 1, 2, ... without gaps."
        )
    return tuple(name for _, name in ordered)


def _label_names(labels: dict[str, int | str | list[int]], path: Path) -> list[tuple[int, str]]:
    """Read values and names from `{"1": "liver"}` (Decathlon) or `{"liver": 1}` (nnU-Net)."""
    found = []
    for key, entry in labels.items():
        if isinstance(entry, list):
            raise DataError(
                f"{path} describes the label '{key}' as a region of several values ({entry}).",
                "Give every segment one value of its own; overlapping regions are not known here.",
            )
        # Teeth are called "11": a text that is a number is a name where a number leads to it.
        by_value = isinstance(entry, str) and (_is_number(key) or not _is_number(entry))
        number, name = (key, str(entry)) if by_value else (str(entry), key)
        if not _is_number(number):
            raise DataError(
                f"{path}: the label '{key}': {entry!r} has no number.", "Give it a value of 1 to 254."
            )
        found.append((int(number), name.strip()))
    return found


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def _means_ignore(value: int, name: str) -> bool:
    """Whether a label is nnU-Net's for voxels that nobody annotated."""
    return name.lower() == _IGNORE and value != BACKGROUND


def _schema(labels: Sequence[tuple[int, str]], path: Path) -> LabelSchema:
    names: dict[int, str] = {}
    for value, name in labels:
        if value in (BACKGROUND, UNANNOTATED) or _means_ignore(value, name):
            continue
        if value in names:
            raise DataError(
                f"{path} gives the value {value} to two labels.", "Give every label its own value."
            )
        names[value] = name or f"Segment {value}"
    if not names:
        raise DataError(f"{path} names no label but the background.", "Name at least one segment in it.")
    try:
        return LabelSchema.of_names(names)
    except ValidationError as error:
        raise DataError(
            f"{path}: {first_fault(error)}.", "Give every label its own name and a value of 1 to 254."
        ) from error


def _find_cases(folder: Path, listed: Sequence[_Listed | str], part: str, path: Path) -> list[DatasetCase]:
    """Find the cases of one part, `Tr` or `Ts`: those that are listed, or all files when none is."""
    test = part == "Ts"
    labels = {stem_of(file): file for file in _volumes(folder / f"labels{part}")}
    images: dict[str, list[Path]] = {}  # the files of a folder are sorted, so that channels come in order
    for file in _volumes(folder / f"images{part}"):
        images.setdefault(_without_channel(stem_of(file)), []).append(file)
    if not listed:
        return [DatasetCase(name, tuple(files), labels.get(name), test) for name, files in images.items()]

    entries = [_Listed(image=entry) if isinstance(entry, str) else entry for entry in listed]
    promised = [[named_by(path, name) for name in _as_list(entry.image)] for entry in entries]
    if not all(promised):
        raise DataError(f"{path} lists a case without an image.", "Correct or remove that entry.")
    # 'scan_0001' may be the first channel of 'scan', or a scan of that name: the whole list tells.
    numbered = all(len(files) > 1 or stem_of(files[0]).endswith("_0000") for files in promised)
    cases = []
    for entry, files in zip(entries, promised, strict=True):
        name = _without_channel(stem_of(files[0])) if numbered else stem_of(files[0])
        channels = files if all(is_file(file, DataError) for file in files) else images.get(name, [])
        if not channels:
            raise DataError(
                f"{files[0]}, which {path.name} lists, does not exist.",
                "Unpack the dataset again, or remove the entry.",
            )
        own = "label" in entry.model_fields_set  # null says that it has none, whatever lies beside it
        label = named_by(path, entry.label) if entry.label else None if own else labels.get(name)
        if label is not None and not is_file(label, DataError):
            raise DataError(
                f"{label}, which {path.name} lists, does not exist.",
                "Unpack the dataset again, or remove the entry's label.",
            )
        cases.append(DatasetCase(name, tuple(channels), label, test))
    return cases


def _complete(
    training: Sequence[DatasetCase], test: Sequence[DatasetCase], channel_names: Sequence[str], path: Path
) -> tuple[DatasetCase, ...]:
    """Check that the cases have their channels and names of their own, and join both parts."""
    known = {case.name for case in training}
    if len(known) < len(training):
        raise DataError(f"{path} lists a training case twice.", "Give every case one entry.")
    # Some datasets number both parts from 1: the names must be told apart, not the cases dropped.
    apart = [
        DatasetCase(f"{case.name}_test", case.channels, case.labels, True) if case.name in known else case
        for case in test
    ]
    cases = (*training, *apart)
    if not cases:
        raise DataError(
            f"{path.parent} holds no scans.",
            "Put them into imagesTr and imagesTs, as NIfTI, NRRD or MHA files.",
        )
    for case in cases:
        # A lone file holds all channels, unless a number at the end of its name says that it is one of them.
        names = case.name, case.name.removesuffix("_test")
        whole = len(case.channels) == 1 and stem_of(case.channels[0]) in names
        if whole or len(case.channels) == len(channel_names):
            continue
        found = ", ".join(channel.name for channel in case.channels)
        remedy = (
            f"Give every case one file a channel, {case.name}_0000.nii.gz, {case.name}_0001.nii.gz, ..., "
            "or one 4D file."
        )
        channels = f"{len(case.channels)} of {counted(len(channel_names), 'channel')} ({found})"
        raise DataError(f"The case {case.name} has {channels}, by {path}.", remedy)
    return cases


def _as_list(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _volumes(folder: Path) -> list[Path]:
    """List the volumes of a folder by name; none when there is no such folder."""
    if not is_folder(folder, DataError):
        return []
    # The Decathlon's archives carry macOS's hidden '._name.nii.gz' files.
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower().endswith(_ENDINGS)
    )


def named_by(path: Path, name: str) -> Path:
    """Return the file that a list of files names, from the list's folder on.

    A list that came from elsewhere names what came with it, and none of the files that were there before.
    Links in its folder are its owner's and lead wherever they lead.

    Raises:
        DataError: it is outside of that folder.
    """
    # By name alone: following links would refuse scans that are kept elsewhere.
    folder = os.path.normpath(path.parent.absolute())
    try:
        return path.parent / Path(os.path.normpath(Path(folder, name))).relative_to(folder)
    except ValueError as error:
        raise DataError(
            f"{path} names {name[:200]!r}, which is outside its folder.",
            "Put the file into the folder, and its name from there on into the list.",
        ) from error


def stem_of(path: Path) -> str:
    """Return a file's name without its ending."""
    ending = next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), path.suffix)
    return path.name[: len(path.name) - len(ending)]


def _without_channel(stem: str) -> str:
    match = _CHANNEL.match(stem)
    return match["case"] if match else stem
