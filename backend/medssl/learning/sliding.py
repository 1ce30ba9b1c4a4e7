"""Sliding windows over a scan of any size, with memory for only as many planes as one window has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
_LARGE = 1 << 26  # numbers; larger results are kept in 16 bits (256 MiB would be needed in 32)
_GPU_SHARE = 0.25  # of the free GPU memory, for the weighted sums of the windows
_ONE_LANE = Lanes()


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
    lanes: Lanes = _ONE_LANE,
    overlap: float = 0.5,
    device: torch.device,
) -> Tensor:
    """Apply `forward` to overlapping windows and average what it says with Gaussian weights.

    The same numbers as `monai.inferers.sliding_window_inference`, in less memory: the weighted sums exist
    only for the planes that windows still reach, on a GPU as long as it has room for them; planes that are
    finished are divided by their weights and put into the result on the CPU.

    Args:
        image: `(C, D, H, W)` float32 on the CPU. Smaller sides than the window's are filled up with the
            voxels of the border, as patches that reach over it are in training.
        window: `(D, H, W)` of the windows.
        forward: `(B, C, *window)` on `device` to `(B, outputs, *window)`; with several lanes, called from
            several threads.
        outputs: how many maps `forward` returns.
        batch: windows a forward pass.
        lanes: where forward passes are made, as many at the same time as there are.
        overlap: of neighbouring windows, as a part of their side.
        device: where `forward` works.

    Returns:
        `(outputs, D, H, W)` on the CPU; 16-bit floats for large scans, otherwise 32-bit ones.
    """
    image, inside = _fill_up(image, window)
    depth, height, width = image.shape[1:]
    rows = [window_starts(s, w, overlap) for s, w in zip((depth, height, width), window, strict=True)]
    places = list(_groups(list(product(rows[1], rows[2])), batch))

    def look(at: tuple[int, list[tuple[int, int]]]) -> Tensor:
        z, group = at
        cut = [image[:, z : z + window[0], y : y + window[1], x : x + window[2]] for y, x in group]
        return forward(torch.stack(cut).to(device))

    large = outputs * depth * height * width > _LARGE
    result = torch.empty((outputs, depth, height, width), dtype=torch.float16 if large else torch.float32)
    maps = (outputs, height, width)
    blend = _Blend(window, maps, _place_of_sums(window, maps, device))
    with closing(lanes.each(look, list(product(rows[0], places)))) as answers:
        for z, after in zip(rows[0], [*rows[0][1:], depth], strict=True):
            for group in places:
                blend.add(next(answers), group)
            blend.finish(result[:, z:after])
    return result[(slice(None), *inside)]


def _place_of_sums(window: Triple, maps: Triple, device: torch.device) -> torch.device:
    """Where to keep the weighted sums: on a GPU as long as they take a small part of its free memory."""
    if device.type == "cpu":
        return device
    outputs, height, width = maps
    needed = 2 * 4 * (outputs + 1) * window[0] * height * width
    free, _ = torch.cuda.mem_get_info(device)
    return device if needed < _GPU_SHARE * free else torch.device("cpu")


class _Blend:
    """Weighted sums of what was said of windows, for as many planes as one window has.

    Args:
        window: `(D, H, W)` of the windows.
        maps: how many there are, and their sides `(H, W)`.
        device: where the sums are kept.
    """

    def __init__(self, window: Triple, maps: Triple, device: torch.device) -> None:
        outputs, height, width = maps
        self._window = window
        self._weights = compute_importance_map(
            window, mode=BlendMode.GAUSSIAN, sigma_scale=_SIGMA, device=device, dtype=torch.float32
        )
        self._sums = torch.zeros((outputs, window[0], height, width), device=device)
        self._counts = torch.zeros((window[0], height, width), device=device)

    def add(self, outputs: Tensor, places: Sequence[tuple[int, int]]) -> None:
        """Add what was said of windows whose first voxels, `(y, x)`, lie at these places."""
        outputs = outputs.to(self._sums.device, torch.float32)
        for (y, x), output in zip(places, outputs, strict=True):
            here = (slice(None), slice(y, y + self._window[1]), slice(x, x + self._window[2]))
            self._sums[(slice(None), *here)] += output * self._weights
            self._counts[here] += self._weights

    def finish(self, planes: Tensor) -> None:
        """Fill `planes` with the means of the first planes, which no window reaches any more; drop those."""
        count = planes.shape[1]
        planes.copy_(self._sums[:, :count].div_(self._counts[:count]))
        _move_on(self._sums, count)
        _move_on(self._counts[None], count)


def _fill_up(image: Tensor, window: Triple) -> tuple[Tensor, tuple[slice, slice, slice]]:
    """Fill the image up to the window's size on both sides; also say where it lies in what is returned."""
    depth, height, width = image.shape[1:]
    lacking = [max(0, w - s) for s, w in zip((depth, height, width), window, strict=True)]
    z, y, x = (n // 2 for n in lacking)
    inside = (slice(z, z + depth), slice(y, y + height), slice(x, x + width))
    if any(lacking):
        ends = (x, lacking[2] - x, y, lacking[1] - y, z, lacking[0] - z)
        image = F.pad(image, ends, mode="replicate")
    return image, inside


def _groups(places: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _move_on(sums: Tensor, planes: int) -> None:
    """Drop the first planes and add as many of zeros behind, in place."""
    kept = max(0, sums.shape[1] - planes)
    for maps in sums:  # one by one, for the sake of the copy's size
        maps[:kept] = maps[planes:].clone()
    sums[:, kept:] = 0
