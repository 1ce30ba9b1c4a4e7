"""Losses count what is known and nothing else."""

from __future__ import annotations

import pytest
import torch
from medssl.labels import UNANNOTATED
from medssl.learning.losses import cross_entropy, dice_loss, segmentation_loss


@pytest.fixture
def labels() -> torch.Tensor:
    labels = torch.zeros((2, 6, 6, 6), dtype=torch.int64)
    labels[:, 1:4, 1:4, 1:4] = 1
    labels[:, 4:, 4:, 4:] = 2
    return labels


def perfect(labels: torch.Tensor, classes: int = 3) -> torch.Tensor:
    return torch.nn.functional.one_hot(labels, classes).movedim(-1, 1).float()


def test_a_perfect_prediction_costs_nothing(labels: torch.Tensor) -> None:
    assert dice_loss(perfect(labels), labels) == pytest.approx(0, abs=1e-4)
    assert cross_entropy(50 * perfect(labels), labels) == pytest.approx(0, abs=1e-4)


def test_a_prediction_without_overlap_costs_one(labels: torch.Tensor) -> None:
    swapped = torch.where(labels == 1, 2, torch.where(labels == 2, 1, 0))
    assert dice_loss(perfect(swapped), labels) == pytest.approx(1, abs=1e-4)


def test_voxels_that_nobody_looked_at_change_neither_loss_nor_gradient(labels: torch.Tensor) -> None:
    torch.manual_seed(0)
    logits = torch.randn((2, 3, 6, 6, 6), requires_grad=True)
    labels[:, :3] = UNANNOTATED
    segmentation_loss(logits, labels, balance=0.5).backward()
    assert logits.grad is not None
    assert logits.grad[:, :, :3].abs().max() == 0
    assert logits.grad[:, :, 3:].abs().max() > 0


def test_a_batch_without_any_annotation_gives_zero_and_stays_finite(labels: torch.Tensor) -> None:
    logits = torch.randn((2, 3, 6, 6, 6), requires_grad=True)
    loss = segmentation_loss(logits, torch.full_like(labels, UNANNOTATED))
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_a_class_that_the_batch_lacks_is_left_out_of_dice(labels: torch.Tensor) -> None:
    labels[labels == 2] = 0
    assert dice_loss(perfect(labels), labels) == pytest.approx(0, abs=1e-4)


def test_a_class_weighs_as_its_voxels_to_the_power_of_the_balance(labels: torch.Tensor) -> None:
    logits = torch.randn((2, 3, 6, 6, 6), generator=torch.Generator().manual_seed(0))
    labels[:, :2] = UNANNOTATED
    known = labels != UNANNOTATED
    wrong = -logits.log_softmax(dim=1).gather(1, labels.where(known, 0)[:, None])[:, 0]
    counts = [int((labels == index).sum()) for index in range(3)]
    weights = torch.tensor([count**-0.5 for count in counts])[labels.where(known, 0)] * known
    expected = float((weights * wrong).sum() / weights.sum())
    assert cross_entropy(logits, labels, balance=0.5).item() == pytest.approx(expected, rel=1e-5)


def test_logits_in_half_precision_give_a_finite_loss(labels: torch.Tensor) -> None:
    logits = (200 * torch.randn((2, 3, 6, 6, 6))).to(torch.bfloat16).requires_grad_()
    loss = segmentation_loss(logits, labels)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
