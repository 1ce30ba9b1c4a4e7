"""The task transform turns distances into probabilities."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.learning.distance import level_set
from medssl.learning.level_sets import class_probabilities, sharpness_over


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(1, 4), k=st.floats(1, 1500))
def test_probabilities_sum_to_one(seed: int, classes: int, k: float) -> None:
    values = torch.rand((2, classes, 3, 3, 3), generator=torch.Generator().manual_seed(seed)) * 2 - 1
    q = class_probabilities(values, (k,) * classes)
    assert q.shape == (2, classes + 1, 3, 3, 3)
    assert torch.allclose(q.sum(dim=1), torch.ones(()), atol=1e-5)


def test_one_structure_gets_the_published_sigmoid() -> None:
    values = torch.linspace(-1, 1, 27).reshape(1, 1, 3, 3, 3)
    q = class_probabilities(values, (7.0,))
    assert torch.allclose(q[:, 1:], torch.sigmoid(-7 * values), atol=1e-6)


def test_a_mask_comes_back_exactly_from_its_level_sets(make_case) -> None:
    case = make_case(1)
    labels = case.labels.numpy()
    truth = torch.from_numpy(level_set(labels, 2, (1.0, 1.0, 1.0), (4.0, 4.0)))[None]
    q = class_probabilities(truth, sharpness_over(2.0, (1.0, 1.0, 1.0), (4.0, 4.0)))
    assert torch.equal(q.argmax(dim=1)[0], case.labels.long())


def test_the_transform_rises_over_the_voxels_asked_for() -> None:
    (k,) = sharpness_over(2.0, (3.0, 0.5, 1.0), (10.0,))
    # One voxel of the finest axis is 0.05 in the level set's units: two of them lie between -0.05 and 0.05.
    inside = class_probabilities(torch.full((1, 1, 1, 1, 1), -0.05), (k,))[0, 1].item()
    outside = class_probabilities(torch.full((1, 1, 1, 1, 1), 0.05), (k,))[0, 1].item()
    assert inside == pytest.approx(0.98, abs=0.01)
    assert outside == pytest.approx(0.02, abs=0.01)


def test_half_precision_input_gives_finite_values_and_gradients() -> None:
    values = (torch.rand((1, 2, 4, 4, 4)) * 2 - 1).to(torch.float16).requires_grad_()
    class_probabilities(values, (1500.0, 1500.0)).pow(2).sum().backward()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
