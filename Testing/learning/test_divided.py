from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from medssl.learning.divided import Divided
from medssl.learning.lanes import Lanes
from medssl.learning.network import HeadName, Network
from medssl.learning.plan import NetworkShape
from torch import Tensor

SHAPE = NetworkShape(
    channels=1,
    classes=3,
    features=(4, 8),
    strides=((1, 1, 1), (2, 2, 2)),
    kernels=((3, 3, 3), (3, 3, 3)),
    convolutions=(1, 2),
)
HEADS: tuple[HeadName, ...] = ("segmentation", "level_set", "projection")


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(SHAPE, HEADS).train()


@pytest.fixture(params=[2, 3])
def lanes(request: pytest.FixtureRequest) -> Iterator[Lanes]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    with Lanes(request.param) as lanes:
        yield lanes
    torch.set_num_threads(before)


def patches(count: int = 5) -> Tensor:
    return torch.randn(count, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1))


def descend(network: Network, output: dict[HeadName, Tensor]) -> list[Tensor | None]:
    """The gradients of a loss in which every patch and head counts differently."""
    network.zero_grad(set_to_none=True)
    loss = torch.zeros(())
    for weight, head in enumerate(output.values(), start=1):
        ramp = torch.arange(1.0, len(head) + 1).view(-1, 1, 1, 1, 1)
        loss = loss + weight * (ramp * (head.float() - 0.1) ** 2).mean()
    loss.backward()
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def test_outputs_and_gradients_are_those_of_the_whole_batch(network: Network, lanes: Lanes) -> None:
    whole, divided = network(patches()), Divided(network, lanes)(patches())
    assert list(divided) == list(HEADS)
    for name in HEADS:
        torch.testing.assert_close(divided[name], whole[name])
    for one, other in zip(descend(network, whole), descend(network, divided), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_patches_are_really_divided(network: Network, lanes: Lanes) -> None:
    seen: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    Divided(network, lanes)(patches())
    assert sorted(seen, reverse=True) == ([3, 2] if lanes.count == 2 else [2, 2, 1])


def test_heads_that_were_not_asked_for_get_no_gradient(network: Network, lanes: Lanes) -> None:
    output = Divided(network, lanes)(patches(), ("segmentation",))
    assert list(output) == ["segmentation"]
    descend(network, output)
    assert all(p.grad is None for p in network.heads["projection"].parameters())
    assert all(p.grad is not None for p in network.encoder.parameters())


def test_what_rests_gets_no_gradient(network: Network, lanes: Lanes) -> None:
    network.encoder.requires_grad_(False)
    descend(network, Divided(network, lanes)(patches()))
    assert all(p.grad is None for p in network.encoder.parameters())
    assert all(p.grad is not None for p in network.decoder.parameters())


def test_without_gradients_there_is_no_graph(network: Network, lanes: Lanes) -> None:
    with torch.no_grad():
        output = Divided(network, lanes)(patches())
    assert not any(head.requires_grad for head in output.values())
    network.requires_grad_(False)
    assert not any(head.requires_grad for head in Divided(network, lanes)(patches()).values())


def test_lanes_compute_in_the_precision_of_the_caller(network: Network, lanes: Lanes) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        whole, divided = network(patches()), Divided(network, lanes)(patches())
    assert divided["segmentation"].dtype == torch.bfloat16
    torch.testing.assert_close(divided["segmentation"], whole["segmentation"])
    for one, other in zip(descend(network, whole), descend(network, divided), strict=True):
        assert one is not None and other is not None
        # Rounded sums over patches: as near as two orders of one sum are.
        assert float((one - other).norm()) < 0.03 * float(one.norm())


@pytest.mark.parametrize(("count", "expected"), [(5, [3, 2]), (3, [3]), (2, [2])])
def test_a_lane_takes_at_least_so_many_patches(network: Network, count: int, expected: list[int]) -> None:
    seen: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    with Lanes(4) as lanes:
        output = Divided(network, lanes, least=2)(patches(count))
    assert sorted(seen, reverse=True) == expected
    torch.testing.assert_close(output["segmentation"], network(patches(count))["segmentation"])


def test_a_single_patch_needs_no_lanes(network: Network, lanes: Lanes) -> None:
    torch.testing.assert_close(Divided(network, lanes)(patches(1)), network(patches(1)))
