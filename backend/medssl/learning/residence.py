"""Where prepared cases stay while a training runs: on the device that computes, as far as they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from medssl.learning.cases import TrainingCase, bytes_of

_GPU_SHARE = 3  # cases may fill 1 / 3 of what is free on a GPU: training needs the rest


def room_for_cases(device: torch.device) -> int:
    """Bytes that cases may take on a device: a third of what is free on a GPU, and none on the CPU."""
    return torch.cuda.mem_get_info(device)[0] // _GPU_SHARE if device.type == "cuda" else 0


def moved_close(cases: Sequence[TrainingCase], device: torch.device, room_bytes: int) -> list[TrainingCase]:
    """Put as many cases as fit onto a device, the first ones first; the others stay where they are.

    Patches are cut where their case is. A processor core takes longer to cut the large patches that a GPU
    trains with than the GPU takes to learn from them.

    Args:
        cases: in the order of how often patches will be cut from them.
        device: that trains.
        room_bytes: how much the cases may take there.

    Returns:
        In the order of `cases`.
    """
    placed = []
    for case in cases:
        size = bytes_of(case)
        fits = size <= room_bytes
        placed.append(_on(case, device) if fits else case)
        room_bytes -= size if fits else 0
    return placed


def _on(case: TrainingCase, device: torch.device) -> TrainingCase:
    return replace(
        case,
        image=case.image.to(device),
        labels=None if case.labels is None else case.labels.to(device),
        level_set=None if case.level_set is None else case.level_set.to(device),
    )
