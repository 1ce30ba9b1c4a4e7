"""Reading, computing and writing at the same time, with only a few items on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Data = TypeVar("Data")
Product = TypeVar("Product")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Outcome(Generic[Item, Row]):
    """What became of one item: a row, or the error that ended its way."""

    item: Item
    row: Row | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Stages(Generic[Item, Data, Product, Row]):
    """The three steps of every item and what an item weighs.

    `read` runs in `readers` threads, `work` in the caller's thread, `write` in one thread of its own, in the
    items' order. `weight` is the memory an item takes on its way, in the unit of `budget`.
    """

    read: Callable[[Item], Data]
    work: Callable[[Item, Data], Product]
    write: Callable[[Item, Product], Row]
    weight: Callable[[Item], float]
    budget: float
    readers: int = 1


def overlapped(
    items: Sequence[Item], stages: Stages[Item, Data, Product, Row], stopped: Callable[[], bool]
) -> Iterator[Outcome[Item, Row]]:
    """Take every item through the three stages and yield its outcome, in the items' order.

    An item that fails in any stage is an outcome with its error; the others go on. At most `readers` items
    wait for the work and one for the writer, and fewer when they weigh more than the budget together; one
    item is always let through. When `stopped` says so, or the iterator is closed, no further item is begun
    and the ones that are computed are still written.
    """
    coming: deque[tuple[Item, Future[Data]]] = deque()
    going: deque[tuple[Item, Future[Row]]] = deque()
    waiting = deque((item, stages.weight(item)) for item in items)
    weights: deque[float] = deque()  # of the items on their way, oldest first: outcomes keep the order

    def fill(reading: ThreadPoolExecutor) -> None:
        while waiting and len(coming) < stages.readers:
            if weights and sum(weights) + waiting[0][1] > stages.budget:
                return
            item, weight = waiting.popleft()
            weights.append(weight)
            coming.append((item, reading.submit(stages.read, item)))

    with (
        ThreadPoolExecutor(stages.readers, "medssl-read") as reading,
        ThreadPoolExecutor(1, "medssl-write") as writing,
    ):
        try:
            while (waiting or coming or going) and not stopped():
                fill(reading)
                if coming:
                    item, data = coming.popleft()
                    fill(reading)
                    going.append((item, _work(stages, item, data, writing)))
                    del data  # the scan itself is not needed any more
                while going and (len(going) > 1 or not coming or going[0][1].done()):
                    yield _outcome(*going.popleft())
                    weights.popleft()
            while going:
                yield _outcome(*going.popleft())
        finally:
            for _, data in coming:
                data.cancel()


def _work(
    stages: Stages[Item, Data, Product, Row], item: Item, data: Future[Data], writing: ThreadPoolExecutor
) -> Future[Row]:
    """Compute one item and hand it to the writer; what was read is let go on the way out."""
    try:
        product = stages.work(item, data.result())
    except Exception as error:  # noqa: BLE001 - one bad item never stops the others; the outcome carries it on
        failed: Future[Row] = Future()
        failed.set_exception(error)
        return failed
    return writing.submit(stages.write, item, product)


def _outcome(item: Item, row: Future[Row]) -> Outcome[Item, Row]:
    error = row.exception()
    if error is None:
        return Outcome(item, row=row.result())
    if isinstance(error, Exception):
        return Outcome(item, error=error)
    raise error
