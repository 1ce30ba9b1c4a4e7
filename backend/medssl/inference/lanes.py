"""Work on a processor side by side, in threads that each have their share of its cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from types import TracebackType
from typing import TypeVar

import torch

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_AHEAD = 2  # items a lane may be ahead of who takes the answers


class Lanes:
    """A number of threads that compute at the same time, each with its share of torch's threads.

    A small network gains little when every operation is divided among cores, and its threads wait for each
    other busily; windows side by side, of one thread each, keep the cores at work. Trainings do not use this:
    on two idle cores, patches side by side took 224 ms a step, and torch's own division 193 ms.

    To be used as a context manager; afterwards torch has as many threads as before.

    Args:
        count: how many; with 1, everything is done in the caller's thread.
        threads: how many of torch's threads the lanes have among them.
    """

    def __init__(self, count: int, threads: int) -> None:
        self._count = count
        self._before = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        if count > 1:
            share = max(1, threads // count)
            self._pool = ThreadPoolExecutor(count, "medssl-lane", torch.set_num_threads, (share,))

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self._before)  # a lane's setting holds for all threads that begin later

    def each(self, work: Callable[[Item], Answer], items: Iterable[Item]) -> Generator[Answer, None, None]:
        """Yield `work` of every item, in the items' order, which are taken as they are needed.

        Settings that torch keeps for each thread, such as `inference_mode`, are for `work` to make. The error
        of an item is raised in its turn; items that wait behind it are then not begun, as when the generator
        is closed.
        """
        if self._pool is None:
            yield from map(work, items)
            return
        waiting = iter(items)
        answers: deque[Future[Answer]] = deque()
        try:
            answers.extend(self._pool.submit(work, item) for item in islice(waiting, _AHEAD * self._count))
            while answers:
                answer = answers.popleft().result()
                answers.extend(self._pool.submit(work, item) for item in islice(waiting, 1))
                yield answer
        finally:
            for future in answers:
                future.cancel()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Give every thread that begins meanwhile, and the caller's, one thread of torch.

    Torch's threads wait for each other busily: those of a thread that reads or writes would take the cores
    from the lanes.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
