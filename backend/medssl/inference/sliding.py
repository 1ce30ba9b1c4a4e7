"""Sliding windows over a scan of any size, with memory for only as many planes as one window has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product

import torch
import torch.nn.functional as F
from monai.data.utils import compute_importance_map
from monai.utils.enums import BlendMode
from torch import Tensor

from medssl.learning.lanes import Lanes
from medssl.learning.plan import Triple

_SIGMA = 0.125  # of the Gaussian window weights, as a part of the window's side


def window_starts(size: int, window: int, overlap: float = 0.5) -> list[int]:
    """Where the windows begin along one axis: they overlap by `overlap`, the last one ends at the border."""
    step = max(1, int(window * (1 - overlap)))
    last = max(0, size - window)
    return sorted({min(start, last) for start in range(0, last + step, step)})


def slide(
    image: Tensor,
    window: Triple,
    forward: Callable[[Tensor], Tensor],
    outputs: int,
    *,
    batch: int = 1,
    lanes: int = 1,
    overlap: float = 0.5,
    device: torch.device,
    accumulate_on: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Apply `forward` to overlapping windows and average what it says with Gaussian weights.

    The same numbers as `monai.inferers.sliding_window_inference`, in less memory: the weighted sums exist
    only for the planes that windows still reach; planes that are finished are divided by their weights and
    put into the result on the CPU.

    Args:
        image: `(C, D, H, W)` float32 on the CPU. Smaller sides than the window's are filled up with the
            voxels of the border, as patches that reach over it are in training.
        window: `(D, H, W)` of the windows.
        forward: `(B, C, *window)` on `device` to `(B, outputs, *window)`; with several lanes, called from
            several threads.
        outputs: how many maps `forward` returns.
        batch: windows a forward pass.
        lanes: forward passes at the same time.
        overlap: of neighbouring windows, as a part of their side.
        device: where `forward` works.
        accumulate_on: where the weighted sums are kept.
        dtype: of the result.

    Returns:
        `(outputs, D, H, W)` on the CPU.
    """
    size = tuple(image.shape[1:])
    image, before = _fill_up(image, window)
    depth, height, width = image.shape[1:]
    weights = compute_importance_map(
        window, mode=BlendMode.GAUSSIAN, sigma_scale=_SIGMA, device=accumulate_on, dtype=torch.float32
    )
    rows = [window_starts(s, w, overlap) for s, w in zip((depth, height, width), window, strict=True)]
    places = list(_groups(list(product(rows[1], rows[2])), batch))

    def look(at: tuple[int, list[tuple[int, int]]]) -> Tensor:
        z, group = at
        cut = [image[:, z : z + window[0], y : y + window[1], x : x + window[2]] for y, x in group]
        return forward(torch.stack(cut).to(device))

    result = torch.empty((outputs, depth, height, width), dtype=dtype)
    sums = torch.zeros((outputs, window[0], height, width), device=accumulate_on)
    counts = torch.zeros((window[0], height, width), device=accumulate_on)
    with (
        Lanes(min(lanes, len(rows[0]) * len(places))) as threads,
        closing(threads.each(look, product(rows[0], places))) as answers,
    ):
        for z, after in zip(rows[0], [*rows[0][1:], depth], strict=True):
            for group in places:
                found = next(answers).to(accumulate_on, torch.float32)
                for (y, x), output in zip(group, found, strict=True):
                    here = (slice(None), slice(y, y + window[1]), slice(x, x + window[2]))
                    sums[(slice(None), *here)] += output * weights
                    counts[here] += weights
            finished = after - z
            result[:, z:after] = sums[:, :finished].div_(counts[:finished]).to("cpu", dtype)
            _move_on(sums, finished)
            _move_on(counts[None], finished)
    z, y, x = before
    return result[:, z : z + size[0], y : y + size[1], x : x + size[2]]


def _fill_up(image: Tensor, window: Triple) -> tuple[Tensor, Triple]:
    """Fill the image up to the window's size on both sides; also say how many planes came before."""
    lacking = [max(0, w - s) for s, w in zip(image.shape[1:], window, strict=True)]
    z, y, x = (n // 2 for n in lacking)
    if not any(lacking):
        return image, (0, 0, 0)
    return F.pad(image, (x, lacking[2] - x, y, lacking[1] - y, z, lacking[0] - z), mode="replicate"), (
        z,
        y,
        x,
    )


def _groups(places: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _move_on(sums: Tensor, planes: int) -> None:
    """Drop the first planes and add as many of zeros behind, in place."""
    kept = max(0, sums.shape[1] - planes)
    for maps in sums:  # one by one, for the sake of the copy's size
        maps[:kept] = maps[planes:].clone()
    sums[:, kept:] = 0
