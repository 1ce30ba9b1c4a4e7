"""The scans of the demo: a dataset of its own or a given one, divided into cases and new scans."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from medssl.demo.settings import DemoSettings
from medssl.errors import DataError
from medssl.exchange.dataset_names import LabelValues, match_values
from medssl.exchange.datasets import Dataset, DatasetCase, read_dataset
from medssl.imaging.formats import suffix_of
from medssl.labels import LabelSchema
from medssl.phantom import SCHEMA, write_phantoms
from medssl.storage import storage_error
from medssl.words import counted

_MOST_HELD_OUT = 40
_HELD_OUT_PART = 5  # one of so many


@dataclass(frozen=True)
class Material:
    """What the demo works on.

    Attributes:
        dataset: on disk; its labels play the person who annotates and corrects.
        schema: the dataset's segments; those of made-up scans also have codes and axes of symmetry, which
            `dataset.json` has no place for.
        truth: the label map of every labelled case by name, those of the new scans left out.
        leave_out: how many last labelled cases are new scans and no cases of the project.
        new: the new scans, with labels.
        values: what the label values of the files are in the schema.
    """

    dataset: Dataset
    schema: LabelSchema
    truth: dict[str, Path]
    leave_out: int
    new: tuple[DatasetCase, ...]
    values: LabelValues


def make_own_dataset(folder: Path, seed: int) -> Path:
    """Write made-up scans: 14 cases and 4 new scans; returns the folder."""
    write_phantoms(folder, count=14, new_count=4, seed=seed)
    return folder


def divide(folder: Path, settings: DemoSettings) -> Material:
    """Choose which cases are new scans: the labelled test cases if there are any, or the last labelled ones.

    Raises:
        DataError: too few labelled cases.
    """
    dataset = read_dataset(folder)
    test = tuple(case for case in dataset.cases if case.test and case.labels is not None)
    labelled = [case for case in dataset.cases if not case.test and case.labels is not None]
    leave_out = 0
    if settings.held_out is not None:
        leave_out = settings.held_out
    elif not test:
        leave_out = min(_MOST_HELD_OUT, max(1, len(labelled) // _HELD_OUT_PART))
    kept = labelled[: len(labelled) - leave_out]
    if len(kept) <= settings.annotated or leave_out > len(labelled):
        raise DataError(
            f"{folder} has {counted(len(labelled), 'labelled case')}; the demo needs more than "
            f"{settings.annotated + leave_out}, {settings.annotated} annotated and {leave_out} new.",
            "Give it a larger dataset, or ask for fewer with --annotated and --held-out.",
        )
    schema = SCHEMA if settings.data is None else dataset.schema
    return Material(
        dataset=dataset,
        schema=schema,
        truth={case.name: case.labels for case in kept if case.labels is not None},
        leave_out=leave_out,
        new=tuple(labelled[len(kept) :]) if leave_out else test,
        values=match_values(dataset, schema),
    )


def copy_new_scans(material: Material, scans: Path, truth: Path) -> None:
    """Make the folder of new scans that a person would point at, and one with their true label maps."""
    for case in material.new:
        for index, channel in enumerate(case.channels):
            number = f"_{index:04d}" if len(case.channels) > 1 else ""
            _copy(channel, scans / f"{case.name}{number}{suffix_of(channel) or channel.suffix}")
        if case.labels is not None:
            with material.values.as_file(case.labels) as (file, _):
                _copy(file, truth / f"{case.name}{suffix_of(file) or file.suffix}")


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise storage_error(error, target) from error
