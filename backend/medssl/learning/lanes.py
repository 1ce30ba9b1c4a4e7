"""Work on a processor side by side, in threads that each have their share of its cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import islice
from threading import Barrier
from typing import TypeVar

import torch

from medssl.learning.threads import torch_threads

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_AHEAD = 2  # items a lane may be ahead of who takes the answers


class Lanes:
    """A number of threads that compute at the same time, each with its share of torch's threads.

    A small network gains little when every operation is divided among cores, and its threads wait for each
    other busily; windows side by side, of one thread each, keep the cores at work. Trainings do not use this:
    on two idle cores, patches side by side took 224 ms a step, and torch's own division 193 ms.

    The threads live as long as this object: threads that are begun anew for every scan make a folder run's
    memory grow by a tenth. All other threads keep as many of torch's threads as they had.

    Args:
        count: how many; with 1, everything is done in the caller's thread.
    """

    def __init__(self, count: int = 1) -> None:
        self._count = count
        self._pool = _pool(count) if count > 1 else None

    def each(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> Generator[Answer, None, None]:
        """Yield `work` of every item, in the items' order, at most a few ahead of who takes the answers.

        A single item is done in the caller's thread, with all of torch's threads. Settings that torch keeps
        for each thread, such as `inference_mode`, are for `work` to make. The error of an item is raised in
        its turn; items that wait behind it are then not begun, as when the generator is closed. Several
        threads may take turns at the same lanes.
        """
        if self._pool is None or len(items) < 2:
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


def _pool(count: int) -> ThreadPoolExecutor:
    """Begin all threads: what a thread tells torch about itself also holds for those that begin later."""
    before = torch.get_num_threads()
    all_here = Barrier(count)

    def begin(share: int) -> None:
        torch.get_num_threads()  # which takes what all threads have, once; what is set before that is lost
        torch.set_num_threads(share)
        all_here.wait()

    pool = ThreadPoolExecutor(count, "medssl-lane", begin, (max(1, before // count),))
    list(pool.map(int, range(count)))
    torch.set_num_threads(before)
    return pool


def one_thread_each() -> AbstractContextManager[None]:
    """Give every thread that begins meanwhile, and the caller's, one thread of torch.

    Torch's threads wait for each other busily: those of a thread that reads or writes would take the cores
    from the lanes.
    """
    return torch_threads(1)
