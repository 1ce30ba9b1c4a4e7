"""The network has the shape the plan gives it."""

from __future__ import annotations

import pytest
import torch
from medssl.learning.network import PROJECTION_SIZE, Network
from medssl.learning.plan import NetworkShape, Plan


def test_every_head_has_the_size_of_its_input(plan: Plan) -> None:
    network = Network(plan.network, ("segmentation", "level_set", "projection"))
    output = network(torch.randn((2, 1, 16, 12, 8)))
    assert output["segmentation"].shape == (2, 3, 16, 12, 8)
    assert output["level_set"].shape == (2, 2, 16, 12, 8)
    assert output["projection"].shape == (2, PROJECTION_SIZE, 16, 12, 8)


def test_level_sets_lie_between_minus_one_and_one(plan: Plan) -> None:
    network = Network(plan.network, ("level_set",))
    found = network(100 * torch.randn((1, 1, 16, 16, 16)))["level_set"]
    assert found.abs().max() <= 1


def test_only_the_heads_asked_for_are_computed(plan: Plan) -> None:
    network = Network(plan.network, ("segmentation", "level_set"))
    assert list(network(torch.randn((1, 1, 8, 8, 8)), ("segmentation",))) == ["segmentation"]


def test_the_encoder_gives_one_feature_map_a_level_fine_to_coarse(plan: Plan) -> None:
    features = Network(plan.network).encoder(torch.randn((1, 1, 16, 16, 16)))
    assert [tuple(f.shape[1:]) for f in features] == [(8, 16, 16, 16), (16, 8, 8, 8), (16, 4, 4, 4)]


@pytest.mark.parametrize("stride", [(1, 2, 2), (2, 1, 1)])
def test_anisotropic_strides_halve_only_their_axes(stride: tuple[int, int, int]) -> None:
    shape = NetworkShape(
        channels=2,
        classes=2,
        features=(4, 8),
        strides=((1, 1, 1), stride),
        kernels=((1, 3, 3), (3, 3, 3)),
        convolutions=(1, 2),
    )
    assert shape.divisor == stride
    network = Network(shape)
    output = network(torch.randn((1, 2, 6, 6, 6)))["segmentation"]
    coarse = network.encoder(torch.randn((1, 2, 6, 6, 6)))[-1]
    assert output.shape == (1, 2, 6, 6, 6)
    assert tuple(coarse.shape[2:]) == tuple(6 // s for s in stride)
