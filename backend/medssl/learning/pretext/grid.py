"""Grids of patches, as jigsaw, relative location and contrastive prediction look at scans."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from medssl.learning.plan import Plan, Triple
from medssl.learning.pretext.scans import Scans

_CONTRAST, _BRIGHTNESS, _NOISE = 0.2, 0.2, 0.05


def patch_sides(plan: Plan) -> Triple:
    """Sides of a patch of a grid: two cells of the coarsest level, the least that has an inside."""
    z, y, x = (max(4, 2 * step) for step in plan.network.divisor)
    return z, y, x


def draw_grids(
    scans: Scans, plan: Plan, count: int, cells: int, generator: Generator, onto: torch.device
) -> Tensor:
    """Cut `count` regions of different scans into cells x cells x cells patches.

    A region covers as much of a scan as the patches need at the plan's spacing; from a scan smaller than
    that, patches are cut magnified. Each patch lies at random in a cell a quarter larger than itself, with a
    gap of at least an eighth between neighbours, so that edges that go on from one patch into the next do
    not betray where it was. For the same reason each patch gets a contrast, a brightness and noise of its
    own.

    Returns:
        `(count, cells ** 3, C, *patch_sides)` float32 on `onto`, wherever each scan is; patches in the order
        of (z, y, x), x fastest.
    """
    patch = torch.tensor(patch_sides(plan))
    slack = torch.maximum(patch // 4, torch.tensor(2))
    size = cells * (patch + slack)
    z, y, x = (int(side) for side in size)
    grids = []
    for index in scans.choose(count, generator):
        sides = torch.minimum(size, torch.tensor(scans.shape(index))).float()
        region = scans.cut(index, scans.box(index, sides, generator), sides, (z, y, x)).to(onto)
        grids.append(_patches(region, patch, slack, cells, generator))
    return jitter(torch.stack(grids), generator)


def _patches(region: Tensor, patch: Tensor, slack: Tensor, cells: int, generator: Generator) -> Tensor:
    """Cut a region `(C, D, H, W)` into patches, each at random in its cell but for the gap."""
    found = []
    for cell in torch.cartesian_prod(*(torch.arange(cells),) * 3):
        room = slack - slack // 2  # the other half of the slack is the gap
        moved = (torch.rand(3, generator=generator) * (room + 1)).long()
        z, y, x = (cell * (patch + slack) + moved).tolist()
        d, h, w = patch.tolist()
        found.append(region[:, z : z + d, y : y + h, x : x + w])
    return torch.stack(found)


def jitter(patches: Tensor, generator: Generator) -> Tensor:
    """Give each patch of `(B, P, C, d, h, w)` a contrast, a brightness and noise of its own.

    One draw for all patches: a grid has too many for `change_appearance`, which takes them one by one.
    """
    draws = torch.rand((2, *patches.shape[:2], 1, 1, 1, 1), generator=generator).to(patches.device) * 2 - 1
    seed = int(torch.randint(2**31, (), generator=generator))
    on_device = Generator(device=patches.device).manual_seed(seed)
    noise = torch.randn(patches.shape, generator=on_device, device=patches.device)
    return patches * (1 + _CONTRAST * draws[0]) + _BRIGHTNESS * draws[1] + _NOISE * noise
