"""Going on with less where memory does not suffice: smaller batches first, then smaller patches."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from typing import TypeVar

from medssl.errors import MedSSLError
from medssl.events import Monitor
from medssl.learning.plan import Plan, Triple

ResultT = TypeVar("ResultT")

_SIDE = 0.5 ** (1 / 3)  # halves the volume of a patch
_FEWEST = 2  # voxels of a patch on the coarsest level: instance normalisation needs two to compare
# What PyTorch and NVIDIA's libraries say without an error class of their own.
_SAID = (
    "DefaultCPUAllocator",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def shrink(plan: Plan) -> Plan | None:
    """The next smaller plan: half the batch, or about half the patch once a batch is one patch.

    The network stays as it is, so that a checkpoint fits both. None when nothing can be smaller.
    """
    if plan.batch_size > 1:
        return plan.model_copy(update={"batch_size": plan.batch_size // 2})
    # A patch is counted in voxels of the coarsest level: it must be a whole number of them along each axis.
    divisor = plan.network.divisor
    z, y, x = (side // step for side, step in zip(plan.patch_size, divisor, strict=True))
    if z * y * x <= _FEWEST:
        return None
    sides = [max(1, round(side * _SIDE)) for side in (z, y, x)]
    if sides == [z, y, x] or math.prod(sides) < _FEWEST:
        longest = max(range(3), key=lambda axis: (z, y, x)[axis])
        sides = [z, y, x]
        sides[longest] -= 1
    z, y, x = (side * step for side, step in zip(sides, divisor, strict=True))
    patch: Triple = (z, y, x)
    return plan.model_copy(update={"patch_size": patch})


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that main memory or the GPU's is full."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)


def within_memory(
    plan: Plan, attempt: Callable[[Plan], ResultT], keep: Callable[[Plan], None], monitor: Monitor
) -> tuple[ResultT, Plan]:
    """Try with a plan, and with smaller ones as long as memory does not suffice.

    Args:
        plan: to begin with.
        attempt: what needs the memory; called again, it goes on from its last checkpoint.
        keep: given each smaller plan before it is tried.
        monitor: told of it.

    Returns:
        What the attempt returned, and the plan that sufficed.

    Raises:
        MedSSLError: not even the smallest plan suffices.
    """
    while True:
        try:
            return attempt(plan), plan
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = shrink(plan)
            if smaller is None:
                raise MedSSLError(
                    f"There is not enough memory to train, not even with {_described(plan)}.",
                    "Close other programs, or use a larger computer.",
                ) from error
        # Only here: the error held on to everything that the attempt had in memory.
        release_memory()
        keep(smaller)
        monitor.log(
            f"There is not enough memory for {_described(plan)}; it goes on with {_described(smaller)}.",
            "warning",
        )
        plan = smaller


def _described(plan: Plan) -> str:
    batch = "one patch" if plan.batch_size == 1 else f"{plan.batch_size} patches"
    return f"{batch} of {' x '.join(map(str, plan.patch_size))} voxels at a time"


def release_memory() -> None:
    """Give memory that nobody uses any more back to the system and to the GPU."""
    import torch  # not above: whoever asks whether an error is about memory may do without torch

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
