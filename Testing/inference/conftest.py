from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import PALETTE, LabelSchema, Segment
from medssl.learning.model import Model
from medssl.learning.network import HeadName, Network
from medssl.learning.plan import Normalisation
from small_models import small_card, small_plan
from torch import Tensor

SCHEMA = LabelSchema(
    segments=(
        Segment(name="Shell", value=7, colour=PALETTE[0]),
        Segment(name="Core", value=3, colour=PALETTE[1], largest_component=True),
    ),
    mirror_axes=("left-right",),
)
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


class Thresholding(Network):
    """A network whose answer is known: shell over intensity 100, core over 200, sharper with distance.

    The level-set head says the same, or the opposite of it for the core when `contrary`.
    """

    contrary = False

    def forward(self, x: Tensor, heads: Sequence[HeadName] | None = None) -> dict[HeadName, Tensor]:
        intensity = 100 * x[:, :1]
        logits = torch.cat((100 - intensity, intensity.clamp(max=150) - 100, intensity - 200), dim=1) / 5
        shell = torch.where((intensity > 100) & (intensity < 200), -1.0, 1.0)
        core = torch.where(intensity > 200, -1.0, 1.0)
        level_set = torch.cat((shell, -core if self.contrary else core), dim=1)
        found: dict[HeadName, Tensor] = {"segmentation": logits, "level_set": level_set}
        return {name: found[name] for name in heads or self.head_names}


ModelMaker = Callable[..., Model]


@pytest.fixture
def make_model() -> ModelMaker:
    def make(
        *,
        heads: tuple[HeadName, ...] = ("segmentation",),
        spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
        patch_size: tuple[int, int, int] = (16, 16, 16),
        channel_names: tuple[str, ...] = ("image",),
        model_id: str = "threshold-1",
    ) -> Model:
        window = Normalisation(kind="window", low=0, high=400, mean=0, std=100)
        plan = small_plan(SCHEMA, channel_names, spacing_mm, patch_size, window)
        card = small_card(model_id, "Thresholding", heads=heads)
        return Model(network=Thresholding(plan.network, heads).eval(), plan=plan, card=card)

    return make


@pytest.fixture
def make_scan() -> Callable[..., Volume]:
    def make(
        size: tuple[int, int, int] = (22, 20, 18),
        spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
        direction: tuple[float, ...] = OBLIQUE,
        stray: bool = False,
    ) -> Volume:
        """A shell of 160 around a core of 300 on 20, off the middle; `size` and spacing are x, y, z."""
        grid = Grid(size, spacing_mm, (-30.0, 12.5, 100.0), direction)
        array = np.full(grid.shape, 20, np.int16)
        z, y, x = grid.shape
        array[z // 5 : 4 * z // 5, y // 5 : 3 * y // 4, x // 4 : 3 * x // 4] = 160
        array[z // 3 : z // 2, y // 3 : y // 2, x // 3 : x // 2] = 300
        if stray:
            array[-2:, -2:, -2:] = 300
        return Volume(array, grid)

    return make


@pytest.fixture
def write_scan(make_scan: Callable[..., Volume]) -> Callable[..., Path]:
    def write(path: Path, **shape: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(path, make_scan(**shape))
        return path

    return write
