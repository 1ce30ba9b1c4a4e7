"""What the results of a run are called, so that none takes the place of another scan's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import PurePosixPath

from medssl.inference.ledger import Ledger, SegmentationRow
from medssl.inference.source import Source

_NUMBER = re.compile(r"-\d+$")


def told_apart(sources: Sequence[Source], ledger: Ledger) -> list[Source]:
    """Number the sources whose results would have one name, as several inputs or runs can bring about.

    A scan keeps the name under which an earlier run segmented it. It is known by where its files lie or, when
    they were moved or came another way, by what they hold. A name under which the result of another scan lies
    is not free.

    Args:
        sources: those of one run; several may be of one name.
        ledger: of the output folder.
    """
    names = _Names(ledger)
    # By place first: a copy that is looked at before the scan itself must not take its name.
    found = names.known(dict(enumerate(sources)), _lies_there)
    left = {index: source for index, source in enumerate(sources) if index not in found}
    found |= names.known(left, _holds_that)
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

    def known(
        self, sources: dict[int, Source], is_of: Callable[[SegmentationRow, Source], bool]
    ) -> dict[int, str]:
        """Give sources the names that their results of earlier runs have, where all of a name is theirs."""
        found = {}
        for index, source in sources.items():
            for name in sorted(self._families.get(source.name.casefold(), ()), key=lambda n: (len(n), n)):
                rows = self._rows[name]
                if name not in self._taken and all(is_of(row, source) for row in rows):
                    self._taken.add(name)
                    found[index] = PurePosixPath(rows[-1].scan).name
                    break
        return found

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
