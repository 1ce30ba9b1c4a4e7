from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from medssl.imaging.volume import Volume
from medssl.inference.predictor import Predictor
from medssl.inference.views import turned, turns
from medssl.learning.model import Model
from torch import Tensor

SPACING_MM = (3.0, 1.0, 1.5)


def ball(centre_mm: Tensor, shape: tuple[int, int, int] = (16, 48, 32)) -> Tensor:
    """A soft ball of 6 mm, at a place relative to the grid's middle, `(1, D, H, W)`."""
    places = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    mm = torch.stack(places, dim=-1) * torch.tensor(SPACING_MM)
    return torch.exp(-((mm - centre_mm) ** 2).sum(dim=-1) / 72)[None]


@pytest.mark.parametrize("turn", turns())
def test_a_turn_moves_what_is_seen_by_its_rotation_in_millimetres(turn: Tensor) -> None:
    place = torch.tensor([6.0, 9.0, -7.0])
    # A voxel of the result shows what lies at its place turned.
    expected = ball(turn.T @ place)
    torch.testing.assert_close(turned(ball(place), turn, SPACING_MM), expected, rtol=0, atol=0.08)


@pytest.mark.parametrize("turn", turns())
def test_the_transpose_turns_back(turn: Tensor) -> None:
    image = ball(torch.tensor([3.0, -6.0, 4.0]))
    there_and_back = turned(turned(image, turn, SPACING_MM), turn.T, SPACING_MM)
    torch.testing.assert_close(there_and_back, image, rtol=0, atol=0.1)


def test_the_turns_are_rotations_of_twelve_degrees_that_favour_no_direction() -> None:
    axes = []
    for turn in turns():
        torch.testing.assert_close(turn @ turn.T, torch.eye(3), rtol=0, atol=1e-6)
        assert float(torch.det(turn)) == pytest.approx(1, abs=1e-6)
        assert float(turn.trace()) == pytest.approx(1 + 2 * np.cos(np.radians(12)), abs=1e-6)
        axes.append(torch.stack([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]))
    torch.testing.assert_close(torch.stack(axes).sum(dim=0), torch.zeros(3), rtol=0, atol=1e-6)


def test_maps_keep_their_type_and_are_turned_each_for_itself() -> None:
    maps = torch.cat((ball(torch.tensor([0.0, 8.0, 0.0])), ball(torch.tensor([0.0, 0.0, -8.0]))))
    both = turned(maps.half(), turns()[0], SPACING_MM)
    assert both.dtype == torch.float16
    alone = turned(maps[1:], turns()[0], SPACING_MM)
    torch.testing.assert_close(both[1:].float(), alone, rtol=0, atol=2e-3)


def test_several_views_agree_on_what_does_not_depend_on_the_view_and_doubt_the_rest(
    make_model: Callable[..., Model], make_scan: Callable[..., Volume]
) -> None:
    scan = make_scan((24, 26, 22))
    predictor = Predictor(make_model(heads=("segmentation", "level_set")), "cpu")
    one, several = predictor.predict([scan]), predictor.predict([scan], several_views=True)
    same = (one.values == several.values).mean()
    assert same > 0.9  # the model looks at brightness alone: only borders, interpolated twice, differ
    assert several.score > one.score
    assert several.uncertainty is not None and several.uncertainty.max() <= 1
