from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from medssl.inference.overlapped import Outcome, Stages, overlapped


def never() -> bool:
    return False


def stages(
    read: Callable[[int], int] = lambda i: i,
    work: Callable[[int, int], int] = lambda _, data: 2 * data,
    write: Callable[[int, int], str] = lambda _, product: str(product),
    weight: Callable[[int], float] = lambda _: 1.0,
    budget: float = 100,
    readers: int = 1,
    workers: int = 1,
) -> Stages[int, int, int, str]:
    return Stages(read, work, write, weight, budget, readers, workers)


def fail_at(bad: int) -> Callable[..., int]:
    def step(item: int, data: int = 0) -> int:
        if item == bad:
            raise ValueError(f"number {item}")
        return item

    return step


@pytest.mark.parametrize(("readers", "workers"), [(1, 1), (3, 1), (1, 2), (2, 3)])
def test_every_item_comes_out_in_order(readers: int, workers: int) -> None:
    outcomes = list(overlapped(range(20), stages(readers=readers, workers=workers), never))
    assert outcomes == [Outcome(i, row=str(2 * i)) for i in range(20)]


@pytest.mark.parametrize("stage", ["read", "work", "write"])
def test_an_item_that_fails_in_any_stage_stops_no_other(stage: str) -> None:
    steps = {"read": stages(read=fail_at(3)), "work": stages(work=fail_at(3))}
    steps["write"] = stages(write=fail_at(3))  # type: ignore[arg-type]  # the row's type does not matter here
    outcomes = list(overlapped(range(6), steps[stage], never))
    assert [o.item for o in outcomes] == list(range(6))
    assert [o.item for o in outcomes if o.error] == [3]
    assert str(outcomes[3].error) == "number 3"


def test_the_three_stages_run_at_the_same_time() -> None:
    """The first item is written while the second is computed and the third is read: all wait for that."""
    meeting = threading.Barrier(3)

    def step(item_to_wait_for: int) -> Callable[..., int]:
        def meet(item: int, _data: int = 0) -> int:
            if item == item_to_wait_for:
                meeting.wait(timeout=60)
            return item

        return meet

    written = step(0)
    outcomes = list(
        overlapped(range(8), stages(step(2), step(1), lambda *found: str(written(*found))), never)
    )
    assert outcomes == [Outcome(item, row=str(item)) for item in range(8)]


def test_several_workers_work_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=30)

    def work(item: int, data: int) -> int:
        together.wait()  # passes only when two are here at once
        return data

    assert len(list(overlapped(range(6), stages(work=work, workers=2), never))) == 6


class Between:
    """Counts the items that were read and are not written yet."""

    def __init__(self) -> None:
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def read(self, item: int) -> int:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        return item

    def write(self, item: int, product: int) -> str:
        time.sleep(0.002)
        with self.lock:
            self.now -= 1
        return ""


def test_few_items_are_on_their_way_however_many_there_are() -> None:
    between = Between()
    list(overlapped(range(60), stages(read=between.read, write=between.write), never))
    assert between.most <= 3


def test_items_heavier_than_the_budget_go_one_at_a_time() -> None:
    between = Between()
    heavy = stages(read=between.read, write=between.write, weight=lambda _: 101.0)
    assert len(list(overlapped(range(6), heavy, never))) == 6
    assert between.most == 1


def test_after_a_stop_nothing_is_begun_and_what_was_computed_is_written() -> None:
    worked: list[int] = []
    written: list[int] = []

    def work(item: int, data: int) -> int:
        worked.append(item)
        return data

    def write(item: int, _: int) -> str:
        written.append(item)
        return ""

    outcomes = list(overlapped(range(50), stages(work=work, write=write), lambda: len(worked) >= 5))
    assert worked == written == [o.item for o in outcomes] == list(range(5))


def test_an_interrupt_ends_the_threads_and_what_was_computed_is_written() -> None:
    worked: list[int] = []
    written: list[int] = []

    def work(item: int, data: int) -> int:
        worked.append(item)
        return data

    def write(item: int, _: int) -> str:
        time.sleep(0.01)
        written.append(item)
        return ""

    before = threading.active_count()
    with (
        pytest.raises(KeyboardInterrupt),
        closing(overlapped(range(50), stages(work=work, write=write), never)) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.item == 2:
                raise KeyboardInterrupt
    assert worked == written == list(range(len(written)))
    assert 3 <= len(written) < 3 + 4
    assert threading.active_count() == before
