"""Reading, computing and writing at the same time, with only a few items on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Generic, TypeVar

Item = TypeVar("Item")
Data = TypeVar("Data")
Product = TypeVar("Product")
Row = TypeVar("Row")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Outcome(Generic[Item, Row]):
    """What became of one item: a row, or the error that ended its way."""

    item: Item
    row: Row | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Stages(Generic[Item, Data, Product, Row]):
    """The three steps of every item and what an item weighs.

    `read` runs in `readers` threads, `work` in `workers` threads, `write` in one thread, in the items' order.
    `weight` is the memory an item takes on its way, in the unit of `budget`.
    """

    read: Callable[[Item], Data]
    work: Callable[[Item, Data], Product]
    write: Callable[[Item, Product], Row]
    weight: Callable[[Item], float]
    budget: float
    readers: int = 1
    workers: int = 1


def overlapped(
    items: Sequence[Item], stages: Stages[Item, Data, Product, Row], stopped: Callable[[], bool]
) -> Generator[Outcome[Item, Row], None, None]:
    """Take every item through the three stages and yield its outcome, in the items' order.

    An item that fails in any stage is an outcome with its error; the others go on. At most as many items as
    there are threads are on their way, and fewer when they weigh more than the budget together; one item is
    always let through. When `stopped` says so, or the iterator is closed, no further item is begun and the
    ones that are computed are still written.
    """
    going: deque[tuple[Item, float, Future[Row]]] = deque()  # oldest first: outcomes keep the order
    waiting = deque((item, stages.weight(item)) for item in items)
    most = stages.readers + stages.workers + 1
    closed = Event()

    def begin(step: Callable[[], Answer]) -> Answer:
        if closed.is_set() or stopped():
            raise CancelledError
        return step()

    with (
        ThreadPoolExecutor(stages.readers, "medssl-read") as reading,
        ThreadPoolExecutor(stages.workers, "medssl-work") as working,
        ThreadPoolExecutor(1, "medssl-write") as writing,
    ):

        def send(item: Item) -> Future[Row]:
            data = reading.submit(begin, lambda: stages.read(item))
            product = working.submit(_after, data, lambda found: begin(lambda: stages.work(item, found)))
            return writing.submit(_after, product, lambda found: stages.write(item, found))

        try:
            while (waiting or going) and not stopped():
                while waiting and len(going) < most and _fits(going, waiting[0][1], stages.budget):
                    item, weight = waiting.popleft()
                    going.append((item, weight, send(item)))
                yield from _outcome(going)
            while going:
                yield from _outcome(going)
        finally:
            closed.set()


def _fits(going: Iterable[tuple[Item, float, Future[Row]]], weight: float, budget: float) -> bool:
    weights = [each for _, each, _ in going]
    return not weights or sum(weights) + weight <= budget


def _after(before: Future[Data], step: Callable[[Data], Product]) -> Product:
    return step(before.result())


def _outcome(going: deque[tuple[Item, float, Future[Row]]]) -> Iterator[Outcome[Item, Row]]:
    """Wait for the oldest item and take it away; nothing comes of one that was not begun."""
    item, _, row = going[0]
    error = row.exception()
    going.popleft()
    if error is None:
        yield Outcome(item, row=row.result())
    elif not isinstance(error, Exception):
        raise error
    elif not isinstance(error, CancelledError):
        yield Outcome(item, error=error)
