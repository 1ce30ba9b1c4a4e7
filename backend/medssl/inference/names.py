"""What the results of a run are called, so that none takes the place of another scan's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import PurePosixPath

from medssl.events import Monitor
from medssl.inference.ledger import Ledger, SegmentationRow
from medssl.inference.source import Source

_NUMBER = re.compile(r"-\d+$")


def told_apart(sources: Sequence[Source], ledger: Ledger, monitor: Monitor) -> list[Source]:
    """Number the sources whose results would have one name, as several inputs or runs can bring about.

    A scan keeps the name under which an earlier run segmented it. It is known by where its files lie or, when
    they were moved or came another way, by what they hold. A name under which the result of another scan lies
    is not free.

    Args:
        sources: those of one run; several may be of one name.
        ledger: of the output folder; it learns where scans lie now that were known by what they hold.
        monitor: hears how many of the scans that may have been moved were looked into, and may cancel.

    Raises:
        Cancelled: the monitor was cancelled.
        StorageError: the ledger cannot be written.
    """
    names = _Names(ledger)
    found: dict[int, str] = {}
    # By place first: a copy that is looked at before the scan itself must not take its name.
    for index, source in enumerate(sources):
        if rows := names.known(source, _lies_there):
            found[index] = _name_of(rows)
    left = [index for index, source in enumerate(sources) if index not in found and names.has(source)]
    for done, index in enumerate(left):
        monitor.progress("Comparing with earlier results", done, len(left))
        monitor.check()
        if rows := _moved(sources[index], names, ledger):
            found[index] = _name_of(rows)
    return [
        replace(source, relative=source.relative.with_name(found.get(index) or names.free(source)))
        for index, source in enumerate(sources)
    ]


class _Names:
    """The names of the sources of a run, as they are given away. Upper and lower case are the same."""

    def __init__(self, ledger: Ledger) -> None:
        self._taken: set[str] = set()
        self._rows: dict[str, list[SegmentationRow]] = {}
        self._families: dict[str, set[str]] = {}
        for row in ledger.segmentations():
            name = row.scan.casefold()
            self._rows.setdefault(name, []).append(row)
            for family in {name, _NUMBER.sub("", name)}:
                self._families.setdefault(family, set()).add(name)

    def has(self, source: Source) -> bool:
        """Whether there are results of a source's name, with a number or without."""
        return source.name.casefold() in self._families

    def known(
        self, source: Source, is_of: Callable[[SegmentationRow, Source], bool]
    ) -> Sequence[SegmentationRow]:
        """Give a source the name that its results of earlier runs have, and return all rows of that name."""
        for name in sorted(self._families.get(source.name.casefold(), ()), key=lambda n: (len(n), n)):
            rows = self._rows[name]
            if name not in self._taken and all(is_of(row, source) for row in rows):
                self._taken.add(name)
                return rows
        return ()

    def free(self, source: Source) -> str:
        """Give a source the first of its names that is free."""
        own = source.relative.name
        names = (own if number == 1 else f"{own}-{number}" for number in count(1))
        for name in names:
            whole = source.relative.with_name(name).as_posix().casefold()
            if whole not in self._taken and whole not in self._rows:
                self._taken.add(whole)
                return name
        raise AssertionError("numbers do not end")


def _name_of(rows: Sequence[SegmentationRow]) -> str:
    return PurePosixPath(rows[-1].scan).name


def _moved(source: Source, names: _Names, ledger: Ledger) -> Sequence[SegmentationRow]:
    """The rows of a source that is known by what its files hold; nobody has to look into it again."""
    try:
        fingerprint = source.fingerprint()  # first: a file that changes while it is read is done again
    except OSError:
        return ()  # reading will tell why
    rows = names.known(source, _holds_that)
    for row in rows:
        ledger.renew(row, source, fingerprint)
    return rows


def _lies_there(row: SegmentationRow, source: Source) -> bool:
    """Whether a row is of the scan that lies where this one does.

    Rows of older versions do not say where it lay, only which names, sizes and times its files had.
    """
    if row.place:
        return row.place == source.place
    try:
        return row.source == source.fingerprint()
    except OSError:
        return False


def _holds_that(row: SegmentationRow, source: Source) -> bool:
    """Whether a row is of a scan whose files held what those of this one do."""
    try:
        return row.content is not None and row.content.is_of(source.files)
    except OSError:
        return False
