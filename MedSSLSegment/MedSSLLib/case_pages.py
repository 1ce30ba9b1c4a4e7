"""The cases of a project, fetched page by page in the order in which the engine sorts them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Optional

from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import CasePage, CaseSummary

    from MedSSLLib.session import Session

PAGE = 50
_MOST_PAGES = 20  # in one answer: the engine lists a thousand cases at most
_MOST_PICTURES = 600  # kept in memory, a few kB each


@dataclass(frozen=True)
class CaseFilter:
    """Which cases, in which order; empty texts mean all."""

    text: str = ""
    state: str = ""
    role: str = ""
    sort: str = "name"
    descending: bool = False


class CasePages:
    """Knows how many cases there are, and those that were looked at.

    Attributes:
        total: how many cases the filter leaves.
        filter: which, and in which order.
        reset: the number or the order changed: every row is another.
        filled: (first, last) these rows became known.
        pictured: (id) the picture of a case became known.
        left: the project is another one; the ids of its cases stand for other scans.
    """

    def __init__(self, session: Session) -> None:
        self.total = 0
        self.filter = CaseFilter()
        self.reset = Signal()
        self.filled = Signal()
        self.pictured = Signal()
        self.left = Signal()
        self._session = session
        self._known: dict[int, CaseSummary] = {}
        self._asked: set[int] = set()
        self._pictures: OrderedDict[int, bytes] = OrderedDict()
        self._pictured: set[int] = set()  # ids whose picture was asked for, and is as new as the rows
        self._wanted: list[int] = []
        self._fetching = False
        self._generation = 0
        self._known_generation = 0
        session.project_changed.connect(self._project_changed)
        session.cases_changed.connect(self.refresh)
        session.engine_changed.connect(self.refresh)
        self._project = ""

    def close(self) -> None:
        """The module goes."""
        self._session.project_changed.disconnect(self._project_changed)
        self._session.cases_changed.disconnect(self.refresh)
        self._session.engine_changed.disconnect(self.refresh)

    def narrow(self, **changes: Any) -> None:
        """Change the filter: `text`, `state`, `role`, `sort` or `descending`."""
        wanted = replace(self.filter, **changes)
        if wanted != self.filter:
            self.filter = wanted
            self.refresh()

    def row(self, index: int) -> Optional[CaseSummary]:
        """The case in a row; None until its page came."""
        return self._known.get(index)

    def rows_of(self, cases: Collection[int]) -> tuple[int, ...]:
        """The rows of the cases with these ids, from top to bottom, as far as they came."""
        return tuple(sorted(row for row, case in self._known.items() if case.id in cases))

    def need(self, rows: Iterable[int]) -> bool:
        """Fetch what is missing of some rows; returns whether any of them are still to come."""
        missing = {row // PAGE for row in rows if row < self.total and row not in self._known}
        for pages in _runs(sorted(missing - self._asked)):
            self._fetch(pages)
        return bool(missing)

    def show(self, first: int, last: int) -> None:
        """Fetch what is missing of the rows that are seen, and their pictures."""
        self.need(range(first, last + 1))
        seen = [self._known[index].id for index in range(first, last + 1) if index in self._known]
        self._wanted = [each for each in seen if each not in self._pictured]
        self._fetch_picture()

    def picture(self, case: int) -> Optional[bytes]:
        """A small PNG of a case; None until it came, and where there is none."""
        return self._pictures.get(case)

    def refresh(self) -> None:
        """Ask anew; rows that are shown stay until the answer is there."""
        self._generation += 1
        self._asked = set()
        self._pictured = set()
        if self._session.project is None:
            self._known = {}
            self.total = 0
            self.reset.emit()
        elif self._session.client is not None:
            self._fetch(range(1))

    def _project_changed(self) -> None:
        project = self._session.project
        key = "" if project is None else project.key
        if key != self._project:
            self._project = key
            self._known = {}
            self._pictures.clear()
            self._wanted = []
            self.left.emit()
            self.refresh()

    def _fetch(self, pages: range) -> None:
        project, generation, wanted = self._session.project, self._generation, self.filter
        if project is None:
            return
        self._asked.update(pages)
        first = pages.start * PAGE

        def come(answer: CasePage) -> None:
            if generation != self._generation:
                return
            fresh = generation != self._known_generation
            if fresh:
                self._known, self._known_generation = {}, generation
            another = fresh or answer.total != self.total
            self.total = answer.total
            for offset, case in enumerate(answer.cases):
                self._known[first + offset] = case
            if another:
                self.reset.emit()
            else:
                self.filled.emit(first, first + len(answer.cases) - 1)

        def failed(error: Exception) -> None:
            if generation == self._generation:
                self._asked.difference_update(pages)
            self._session.report(error)

        self._session.ask(
            lambda client: client.cases(
                project.key,
                state=wanted.state or None,
                role=wanted.role or None,
                text=wanted.text,
                sort=wanted.sort,
                descending=wanted.descending,
                offset=first,
                limit=len(pages) * PAGE,
            ),
            come,
            failed,
        )

    def _fetch_picture(self) -> None:
        """Fetch one picture after the other: the first one of a case means reading its scan."""
        project = self._session.project
        if project is None or self._session.client is None or self._fetching or not self._wanted:
            return
        case = self._wanted.pop(0)
        self._pictured.add(case)
        self._fetching = True

        def come(picture: bytes) -> None:
            self._fetching = False
            if self._session.is_open(project.key) and self._pictures.get(case) != picture:
                self._pictures[case] = picture
                self._pictures.move_to_end(case)
                while len(self._pictures) > _MOST_PICTURES:
                    self._pictures.popitem(last=False)
                self.pictured.emit(case)
            self._fetch_picture()

        def failed(_error: Exception) -> None:
            # A scan that cannot be read has no picture; its row says the rest.
            self._fetching = False
            self._fetch_picture()

        self._session.ask(lambda client: client.thumbnail(project.key, case), come, failed)


def _runs(pages: Sequence[int]) -> Iterator[range]:
    """Neighbouring pages together, as many as one answer has room for."""
    start = 0
    for end in range(1, len(pages) + 1):
        if end == len(pages) or pages[end] != pages[end - 1] + 1 or end - start == _MOST_PAGES:
            yield range(pages[start], pages[end - 1] + 1)
            start = end
