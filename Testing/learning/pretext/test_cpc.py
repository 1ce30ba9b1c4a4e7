"""InfoNCE in three dimensions: what is asked, and what is seen when it is asked."""

from __future__ import annotations

import math

import pytest
import torch
from medssl.learning.plan import Plan
from medssl.learning.pretext import Scans
from medssl.learning.pretext.cpc import Context, ContrastivePrediction, in_layers, info_nce, similarities


def vectors(count: int, size: int = 128) -> torch.Tensor:
    return torch.randn((count, size), generator=torch.Generator().manual_seed(0))


def test_a_perfect_prediction_loses_less_than_a_guess() -> None:
    candidates = vectors(64)
    loss = info_nce(similarities(candidates, candidates), torch.arange(64))
    assert loss < 0.1 < math.log(64)


def test_predictions_that_know_nothing_lose_the_log_of_the_candidates() -> None:
    for count in (4, 64):
        constant = similarities(torch.ones((count, 8)), torch.ones((count, 8)))
        assert info_nce(constant, torch.arange(count)) == pytest.approx(math.log(count))


def test_a_prediction_may_be_longer_or_shorter() -> None:
    candidates = vectors(8)
    assert torch.allclose(
        similarities(3 * candidates, candidates), similarities(candidates, candidates / 5), atol=1e-5
    )


def test_similarities_stay_exact_in_mixed_precision() -> None:
    found = vectors(32)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = similarities(found.bfloat16(), found)
    assert mixed.dtype == torch.float32
    assert torch.allclose(mixed, similarities(found.bfloat16().float(), found), atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("backwards", [False, True])
def test_layers_come_along_the_axis_from_the_right_end(axis: int, backwards: bool) -> None:
    steps = torch.arange(4.0).view([4 if i == axis else 1 for i in range(3)]).expand(4, 4, 4)
    layers = in_layers(steps[None, ..., None], axis, backwards)
    assert layers.shape == (4, 1, 4, 4, 1)
    expected = [3.0, 2.0, 1.0, 0.0] if backwards else [0.0, 1.0, 2.0, 3.0]
    assert [float(layer.unique()) for layer in layers] == expected


def test_a_context_has_seen_a_pyramid_of_layers_before_and_none_to_come() -> None:
    torch.manual_seed(0)
    layers = torch.randn((4, 1, 4, 4, 8), requires_grad=True)
    Context(8)(layers)[2, 0, 1, 1].sum().backward()
    assert layers.grad is not None
    seen = layers.grad[:, 0].abs().sum(dim=-1) > 0
    assert [int(layer.sum()) for layer in seen] == [16, 9, 1, 0]


def test_the_answers_are_the_patches_behind_at_the_same_place(scans: Scans, plan: Plan, monkeypatch) -> None:
    asked = {}

    def watch(similar: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        asked["answers"], asked["shape"] = answers, similar.shape
        return info_nce(similar, answers)

    monkeypatch.setattr("medssl.learning.pretext.cpc.info_nce", watch)
    task = ContrastivePrediction(plan)
    task.learn(task.draw(scans, torch.Generator().manual_seed(0), torch.device("cpu")))
    layer = 2 * 16  # patches of a layer in two scans
    one_ahead = torch.arange(layer, 4 * layer)
    two_ahead = torch.arange(2 * layer, 4 * layer)
    assert asked["shape"] == (5 * layer, 4 * layer)
    assert torch.equal(asked["answers"], torch.cat((one_ahead, two_ahead)))


def test_all_axes_and_directions_are_drawn(scans: Scans, plan: Plan) -> None:
    task, generator = ContrastivePrediction(plan), torch.Generator().manual_seed(0)
    drawn = [task.draw(scans, generator, torch.device("cpu")) for _ in range(40)]
    assert {(grid.axis, grid.backwards) for grid in drawn} == {
        (a, b) for a in range(3) for b in (False, True)
    }
