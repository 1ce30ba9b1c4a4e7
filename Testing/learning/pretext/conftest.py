"""Scans of one made anatomy: the same slow and fast waves in every scan, and some of each scan's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from medssl.learning.cases import TrainingCase
from medssl.learning.plan import Triple
from medssl.learning.pretext import Scans


def waves(cells: int, sides: Triple, generator: torch.Generator) -> torch.Tensor:
    points = torch.randn((1, 1, cells, cells, cells), generator=generator)
    return F.interpolate(points, size=sides, mode="trilinear", align_corners=True)[0]


@pytest.fixture
def make_scan() -> Callable[..., TrainingCase]:
    def make(seed: int, sides: Triple = (28, 32, 30)) -> TrainingCase:
        common, own = torch.Generator().manual_seed(1000), torch.Generator().manual_seed(seed)
        image = 1.5 * waves(4, sides, common) + waves(8, sides, common) + 0.7 * waves(5, sides, own)
        return TrainingCase(f"scan {seed}", image + 0.1 * torch.randn(image.shape, generator=own), None)

    return make


@pytest.fixture
def scans(make_scan: Callable[..., TrainingCase]) -> Scans:
    return Scans([make_scan(seed) for seed in range(4)])
