from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import torch
from medssl.inference.lanes import Lanes, one_thread_each


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_answers_come_in_the_order_of_the_items(lanes: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    with Lanes(lanes, 4) as threads:
        assert list(threads.each(work, range(20))) == [item * item for item in range(20)]


def test_lanes_work_at_the_same_time_and_share_the_threads_among_them() -> None:
    together = threading.Barrier(2, timeout=30)

    def work(_: int) -> int:
        together.wait()  # passes only when two are here at once
        return torch.get_num_threads()

    with Lanes(2, 4) as threads:
        assert list(threads.each(work, range(4))) == [2, 2, 2, 2]


@pytest.mark.parametrize("lanes", [1, 2])
def test_the_threads_of_torch_are_as_before_afterwards_also_for_new_threads(lanes: int) -> None:
    with Lanes(lanes, 4) as threads:
        list(threads.each(abs, range(3)))
    found = [torch.get_num_threads()]
    new = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert found == [4, 4]


def test_items_are_taken_only_a_few_ahead_of_who_takes_the_answers() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    with Lanes(2, 4) as threads, closing(threads.each(abs, items())) as answers:
        assert [next(answers) for _ in range(3)] == [0, 1, 2]
        time.sleep(0.05)
        assert len(taken) <= 3 + 2 * 2


def test_an_error_comes_in_its_turn_and_nothing_more_is_begun() -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise ValueError("the third")
        return item

    with Lanes(2, 4) as threads:
        answers = threads.each(work, range(100))
        assert [next(answers), next(answers)] == [0, 1]
        with pytest.raises(ValueError, match="the third"):
            next(answers)
    assert max(begun) < 10


def test_threads_beside_the_lanes_have_one_thread_of_torch_for_the_time_being() -> None:
    found: list[int] = []
    with one_thread_each():
        found.append(torch.get_num_threads())
        new = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        new.start()
        new.join()
    assert [*found, torch.get_num_threads()] == [1, 1, 4]
