"""Grids of patches, and the 26 answers of relative location."""

from __future__ import annotations

import itertools

import torch
from medssl.learning.cases import TrainingCase
from medssl.learning.plan import Plan
from medssl.learning.pretext import Scans
from medssl.learning.pretext.grid import draw_grids, jitter, patch_sides
from medssl.learning.pretext.relative_location import CENTRE, NEIGHBOURS

CPU = torch.device("cpu")
SIDES = [side for side in itertools.product((-1, 0, 1), repeat=3) if any(side)]  # (z, y, x), an answer each


def test_a_grid_has_27_patches_that_all_differ(scans: Scans, plan: Plan, monkeypatch) -> None:
    # With noise of its own, a patch would differ from itself.
    monkeypatch.setattr("medssl.learning.pretext.grid.jitter", lambda patches, generator: patches)
    grids = draw_grids(scans, plan, 2, 3, torch.Generator().manual_seed(0), CPU)
    assert grids.shape == (2, 27, 1, *patch_sides(plan))
    for grid in grids:
        assert not any(torch.equal(a, b) for a, b in itertools.combinations(grid, 2))


def places(plan: Plan, seed: int) -> torch.Tensor:
    """Centres (27, 3) of the patches of one grid, read from an image whose three channels are coordinates."""
    axes = torch.meshgrid(*(torch.arange(40.0),) * 3, indexing="ij")
    scan = Scans([TrainingCase("coordinates", torch.stack(axes), None)])
    grid = draw_grids(scan, plan, 1, 3, torch.Generator().manual_seed(seed), CPU)[0]
    # Each patch has a contrast of its own, around zero: coordinates are right up to a fifth of themselves.
    return grid.mean(dim=(2, 3, 4))


def test_patches_lie_where_their_number_says(plan: Plan) -> None:
    mean = torch.stack([places(plan, seed) for seed in range(30)]).mean(dim=0)
    for answer, place in enumerate(NEIGHBOURS):
        sides = (mean[place] - mean[CENTRE]) / 10
        assert tuple(round(float(side)) for side in sides) == SIDES[answer]


def test_neighbours_never_touch_and_lie_at_random(monkeypatch, plan: Plan) -> None:
    monkeypatch.setattr("medssl.learning.pretext.grid.jitter", lambda patches, generator: patches)
    gaps = []
    for seed in range(20):
        centres = places(plan, seed).view(3, 3, 3, 3)
        along_x = centres[:, :, 1:, 2] - centres[:, :, :-1, 2]
        gaps.append(along_x.flatten() - patch_sides(plan)[2])
    found = torch.cat(gaps).round().unique().tolist()
    assert min(found) >= 1
    assert len(found) >= 3


def test_each_patch_gets_intensities_of_its_own() -> None:
    changed = jitter(torch.ones((2, 27, 1, 4, 4, 4)), torch.Generator().manual_seed(0))
    means = changed.mean(dim=(2, 3, 4, 5)).flatten()
    assert float(means.std()) > 0.05
    assert len(means.unique()) == 54
