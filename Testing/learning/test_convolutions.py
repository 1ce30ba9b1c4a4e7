"""What makes a single window quicker on a CPU changes nothing but roundings."""

from __future__ import annotations

import pytest
import torch
from medssl.learning.convolutions import fast_convolutions
from medssl.learning.network import Network
from medssl.learning.plan import NetworkShape


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    shape = NetworkShape(
        channels=1,
        classes=3,
        features=(8, 16),
        strides=((1, 1, 1), (2, 2, 2)),
        kernels=((3, 3, 3), (3, 3, 3)),
        convolutions=(2, 2),
    )
    made = Network(shape, ("segmentation", "level_set"))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.to(memory_format=torch.channels_last_3d).eval()  # type: ignore[call-overload]  # torch's stubs know 4D only


@pytest.mark.parametrize("windows", [1, 2])
def test_a_network_says_the_same(network: Network, windows: int) -> None:
    image = torch.randn(windows, 1, 16, 20, 24)
    with torch.inference_mode():
        plain = network(image)
        with fast_convolutions(torch.device("cpu")):
            quick = network(image)
    assert plain.keys() == quick.keys()
    for name, maps in plain.items():
        assert torch.allclose(maps, quick[name], atol=1e-3 * float(maps.abs().max()))
        assert float(maps.std()) > 0.01


def test_a_torch_without_the_convolution_of_one_dnn_says_the_same(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch, "mkldnn_convolution")
    image = torch.randn(1, 1, 16, 20, 24)
    with torch.inference_mode(), fast_convolutions(torch.device("cpu")):
        found = network(image)
    with torch.inference_mode():
        plain = network(image)
    assert all(torch.equal(plain[name], found[name]) for name in plain)


def test_a_single_window_is_not_copied_to_another_order_for_its_normalisation() -> None:
    norm = torch.nn.InstanceNorm3d(8, affine=True)
    image = torch.randn(1, 8, 6, 6, 6).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stubs know 4D only
    with torch.inference_mode(), fast_convolutions(torch.device("cpu")):
        found = norm(image)
    assert found.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.allclose(found, norm(image), atol=1e-5)
