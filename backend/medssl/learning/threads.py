"""How many threads torch divides an operation among."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from medssl.machine import core_share

_CHOSEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # with these a person tells torch how many


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Give the caller's thread, and every thread that begins meanwhile, so many; None changes nothing."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def threads_of_share() -> Iterator[None]:
    """Let torch have no more threads than this process has cores, see `core_share`.

    Torch counts the cores of the computer, also where a container may use few of them. It keeps what a person
    chose by a variable of the environment.
    """
    chosen = any(os.environ.get(name) for name in _CHOSEN)
    with torch_threads(None if chosen else min(torch.get_num_threads(), core_share())):
        yield
