"""Cases stay close to what computes, as far as there is room."""

from __future__ import annotations

import dataclasses

import torch
from medssl.learning.cases import bytes_of
from medssl.learning.residence import moved_close, room_for_cases

ELSEWHERE = torch.device("meta")  # a device that every computer has; it knows shapes and holds no values


def test_cases_are_moved_whole_while_there_is_room(make_case) -> None:
    cases = [make_case(seed) for seed in range(3)]
    cases[1] = dataclasses.replace(cases[1], labels=None, level_set=None)
    room = bytes_of(cases[0]) + bytes_of(cases[1])
    first, second, third = moved_close(cases, ELSEWHERE, room)
    for part in (first.image, first.labels, first.level_set, second.image):
        assert part.device == ELSEWHERE
    assert second.labels is None
    assert third is cases[2]
    assert [case.name for case in (first, second, third)] == ["case 0", "case 1", "case 2"]


def test_a_smaller_case_takes_the_room_that_a_larger_one_leaves(make_case) -> None:
    large = make_case(0)
    small = dataclasses.replace(make_case(1), labels=None, level_set=None)
    placed = moved_close([large, small], ELSEWHERE, bytes_of(small))
    assert [case.image.device.type for case in placed] == ["cpu", "meta"]


def test_on_the_processor_nothing_moves(make_case) -> None:
    cases = [make_case(0)]
    assert room_for_cases(torch.device("cpu")) == 0
    assert moved_close(cases, torch.device("cpu"), 0) == cases
