from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.learning.lanes import Lanes
from medssl.learning.sliding import slide, window_starts
from monai.inferers.utils import sliding_window_inference
from torch import Tensor

CPU = torch.device("cpu")


def opinion(windows: Tensor) -> Tensor:
    """Two maps that depend on where in the window a voxel lies, so that wrong weights would show."""
    ramp = torch.linspace(-1, 1, windows.shape[2]).view(1, 1, -1, 1, 1)
    first = windows[:, :1]
    return torch.cat((first * (1 + ramp), first + first.mean(dim=(2, 3, 4), keepdim=True)), dim=1)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 30), st.integers(1, 20), st.integers(1, 20)),
    window=st.tuples(*[st.sampled_from((4, 6, 8))] * 3),
    batch=st.integers(1, 3),
    overlap=st.sampled_from((0.0, 0.25, 0.5)),
    lanes=st.integers(1, 3),
)
def test_the_result_is_that_of_monais_sliding_window(
    size: tuple[int, int, int], window: tuple[int, int, int], batch: int, overlap: float, lanes: int
) -> None:
    image = torch.randn(2, *size, generator=torch.Generator().manual_seed(sum(size)))
    expected = sliding_window_inference(
        image[None],
        window,
        batch,
        opinion,
        overlap=overlap,
        mode="gaussian",
        sigma_scale=0.125,
        padding_mode="replicate",
    )[0]
    found = slide(
        image,
        window,
        opinion,
        2,
        batch=batch,
        lanes=Lanes(lanes),
        overlap=overlap,
        device=CPU,
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@given(size=st.integers(1, 100), window=st.integers(1, 40), overlap=st.sampled_from((0.0, 0.5, 0.75)))
@settings(max_examples=50, deadline=None)
def test_windows_cover_the_whole_axis_and_stay_inside(size: int, window: int, overlap: float) -> None:
    starts = window_starts(size, window, overlap)
    covered = {i for start in starts for i in range(start, start + window)}
    assert covered >= set(range(size))
    assert starts[-1] + window <= max(size, window)
    assert starts == sorted(set(starts))


def test_large_results_are_kept_in_half_precision_and_differ_only_by_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = torch.rand(1, 20, 9, 11)
    full = slide(image, (8, 8, 8), opinion, 2, device=CPU)
    monkeypatch.setattr("medssl.learning.sliding._LARGE", full.numel() - 1)
    half = slide(image, (8, 8, 8), opinion, 2, device=CPU)
    assert (full.dtype, half.dtype) == (torch.float32, torch.float16)
    assert float((half.float() - full).abs().max()) == pytest.approx(0, abs=2e-3)


def test_an_error_in_a_window_ends_all_lanes_and_reaches_the_caller() -> None:
    looked = []

    def refuse(windows: Tensor) -> Tensor:
        looked.append(1)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        slide(torch.rand(1, 64, 64, 64), (8, 8, 8), refuse, 2, lanes=Lanes(2), device=CPU)
    assert len(looked) < 10  # of 3375
