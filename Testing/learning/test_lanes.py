from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import torch
from medssl.learning.lanes import Lanes, one_thread_each


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

    assert list(Lanes(lanes).each(work, range(20))) == [item * item for item in range(20)]


def test_lanes_work_at_the_same_time_and_share_the_threads_among_them() -> None:
    together = threading.Barrier(2, timeout=30)

    def work(_: int) -> int:
        together.wait()  # passes only when two are here at once
        return torch.get_num_threads()

    assert list(Lanes(2).each(work, range(4))) == [2, 2, 2, 2]


def test_a_single_item_has_all_threads() -> None:
    assert list(Lanes(2).each(lambda _: torch.get_num_threads(), [0])) == [4]


def test_every_use_has_the_same_threads_of_the_system() -> None:
    lanes = Lanes(2)
    found = {thread for _ in range(20) for thread in lanes.each(lambda _: threading.get_ident(), range(8))}
    assert len(found) <= 2
    assert threading.get_ident() not in found


def test_several_threads_take_turns_at_the_same_lanes() -> None:
    lanes = Lanes(2)
    with ThreadPoolExecutor(3) as users:
        found = list(users.map(lambda user: list(lanes.each(lambda item: user * item, range(30))), range(3)))
    assert found == [[user * item for item in range(30)] for user in range(3)]


@pytest.mark.parametrize("count", [1, 2])
def test_other_threads_keep_the_threads_that_torch_had_also_new_ones(count: int) -> None:
    lanes = Lanes(count)
    list(lanes.each(abs, range(3)))
    found = [torch.get_num_threads()]
    new = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert found == [4, 4]


def test_items_are_begun_only_a_few_ahead_of_who_takes_the_answers() -> None:
    begun = []
    with closing(Lanes(2).each(begun.append, range(1000))) as answers:
        assert [next(answers) for _ in range(3)] == [None] * 3
        time.sleep(0.05)
    assert len(begun) <= 3 + 2 * 2


def test_an_error_comes_in_its_turn_and_nothing_more_is_begun() -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise ValueError("the third")
        return item

    answers = Lanes(2).each(work, range(100))
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(answers)
    assert max(begun) < 10


def test_the_threads_end_with_the_lanes() -> None:
    before = set(threading.enumerate())
    lanes = Lanes(3)
    threads = set(threading.enumerate()) - before
    assert len(threads) == 3
    del lanes
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


def test_threads_beside_the_lanes_have_one_thread_of_torch_for_the_time_being() -> None:
    found: list[int] = []
    with one_thread_each():
        found.append(torch.get_num_threads())
        new = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        new.start()
        new.join()
    assert [*found, torch.get_num_threads()] == [1, 1, 4]
