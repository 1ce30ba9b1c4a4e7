"""What the segments and channels of a data set are in a project.

Names decide, as in every file that names its segments. Where the project has no such name, the label value or
the place among the channels does, and a person is told; a value that another name has is never guessed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medssl.errors import DataError, ImageError, LabelError
from medssl.exchange.dataset_writing import segment_names
from medssl.exchange.datasets import DESCRIPTION, Dataset
from medssl.imaging.labels import read_labels
from medssl.imaging.multichannel import joined, read_channels
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_image, write_volume
from medssl.labels import UNANNOTATED, LabelSchema, count_values, plain_name


@dataclass(frozen=True)
class LabelValues:
    """What the label values of a data set become; without arguments, what they are.

    Attributes:
        changed: the project's value for each of the data set's that is another one.
        kept: the data set's values that are the project's as well.
        notes: what a person should know, one sentence each.
    """

    changed: Mapping[int, int] = field(default_factory=dict)
    kept: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()

    @contextmanager
    def as_file(self, path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
        """Give a label map of the data set as a file with the project's values, and how it was read.

        It is the file itself where no value changes. Errors about another one name `path`.

        Raises:
            ImageError: see `read_labels`.
            LabelError: likewise, or a value is one that only the project names.
        """
        if not self.changed:
            yield path, ()
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "labels.nrrd"
            volume = self._read(path)
            write_volume(file, volume)
            try:
                yield file, volume.notes
            except (ImageError, LabelError) as error:
                raise type(error)(error.what.replace(str(file), str(path)), error.remedy) from error

    def _read(self, path: Path) -> Volume:
        found = read_labels(path).volume
        present = set(np.flatnonzero(count_values(found.array)).tolist())
        strange = present & set(self.changed.values()) - set(self.changed) - self.kept - {UNANNOTATED}
        if strange:
            raise LabelError(
                f"{path} holds the label value {min(strange)}, which the data set does not name.",
                f"Name it in its {DESCRIPTION}, or correct the file.",
            )
        table = np.arange(256, dtype=np.uint8)
        for theirs, ours in self.changed.items():
            table[theirs] = ours
        return Volume(table[found.array], found.grid, found.notes)


def match_values(dataset: Dataset, schema: LabelSchema) -> LabelValues:
    """Find out which segment of a project each label value of a data set is.

    A value whose name and number the project lacks stays what it is; label maps that hold it are refused when
    they are read.

    Raises:
        DataError: a segment whose name the project lacks has the value of one that another name means.
    """
    written = zip(schema.segments, segment_names(schema.names), strict=True)
    exported = LabelSchema(segments=tuple(s.model_copy(update={"name": name}) for s, name in written))
    meant: dict[int, int] = {}
    for theirs in dataset.schema.segments:
        if found := schema.find(theirs.name) or exported.find(theirs.name):
            meant[theirs.value] = found.value
    by_value: list[str] = []
    for theirs in dataset.schema.segments:
        own = next((s.name for s in schema.segments if s.value == theirs.value), None)
        if theirs.value in meant or own is None:
            continue
        other = next((value for value, ours in meant.items() if ours == theirs.value), None)
        if other is not None:
            raise DataError(
                f"{dataset.folder / DESCRIPTION} calls the label value {theirs.value} '{theirs.name}'. The "
                f"project calls it '{own}', which is {other} there, and has no '{theirs.name}'.",
                f"Give it the same name in both, in {DESCRIPTION} or with 'medssl project schema'.",
            )
        by_value.append(f"{theirs.value} is '{theirs.name}' there and '{own}' here")
    changed = {theirs: ours for theirs, ours in meant.items() if theirs != ours}
    if dataset.ignore is not None:
        changed[dataset.ignore] = UNANNOTATED
    kept = frozenset(dataset.schema.values) - set(changed)
    return LabelValues(changed, kept, _told(dataset, "segments", "values decide", by_value))


def _told(dataset: Dataset, what: str, therefore: str, each: Sequence[str]) -> tuple[str, ...]:
    """One sentence on names that the project lacks, where there are any."""
    start = f"{dataset.folder / DESCRIPTION} has names for {what} that the project does not know"
    return (f"{start}, so that their {therefore}: {'; '.join(each)}.",) if each else ()


@dataclass(frozen=True)
class ChannelOrder:
    """Where the channels of a project lie in a case of a data set; without arguments, in their own order.

    Attributes:
        places: for each channel of the project its number in the data set; none where the order is the same.
        notes: what a person should know, one sentence each.
    """

    places: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @contextmanager
    def as_files(self, channels: Sequence[Path]) -> Iterator[tuple[Sequence[Path], tuple[str, ...]]]:
        """Give the files of a case in the project's order, and how they were read.

        One file of all channels that are in another order becomes such a file again.

        Raises:
            ImageError: it cannot be read, or holds another number of channels.
        """
        if not self.places:
            yield channels, ()
        elif len(channels) > 1:
            yield [channels[place] for place in self.places], ()
        else:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "scan.nrrd"
                volumes = read_channels(channels, len(self.places))
                write_image(file, joined([volumes[place] for place in self.places]))
                yield [file], tuple(note for volume in volumes for note in volume.notes)


def match_channels(dataset: Dataset, names: Sequence[str]) -> ChannelOrder:
    """Find out which channel of a data set each of a project's is; those of unknown names keep their order.

    A lone channel is what it is, whatever it is called, and other numbers of channels fit no case.
    """
    if len(names) != len(dataset.channel_names) or len(names) == 1:
        return ChannelOrder()
    ours = [plain_name(name).casefold() for name in names]
    theirs = [plain_name(name).casefold() for name in dataset.channel_names]
    if len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs):
        return ChannelOrder()
    others = (place for place, name in enumerate(theirs) if name not in ours)
    places = tuple(theirs.index(name) if name in theirs else next(others) for name in ours)
    by_order = [
        f"'{dataset.channel_names[place]}' there is taken for '{own}' here"
        for own, place in zip(names, places, strict=True)
        if theirs[place] not in ours
    ]
    moved = places != tuple(range(len(places)))
    return ChannelOrder(places if moved else (), _told(dataset, "channels", "order decides", by_order))
