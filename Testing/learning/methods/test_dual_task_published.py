"""The published form keeps the published properties, quirks included."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from medssl.labels import UNANNOTATED
from medssl.learning.methods import METHODS, Step
from medssl.learning.methods.dual_task_published import (
    CONSISTENCY_WEIGHT,
    DualTaskPublished,
    consistency_weight,
    squared_dice_loss,
    task_consistency,
    task_transform,
)
from medssl.learning.network import Network
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from medssl.learning.sampling import Augmentation, PatchSampler


@pytest.fixture
def step(make_case, plan: Plan) -> Step:
    torch.manual_seed(0)
    network = Network(plan.network, DualTaskPublished.heads)
    generator = torch.Generator().manual_seed(0)
    cpu = torch.device("cpu")
    labelled = PatchSampler([make_case(0)], plan, Augmentation(), True).draw(1, generator, cpu)
    unlabelled = PatchSampler([make_case(1)], plan, Augmentation(), False).draw(1, generator, cpu)
    return Step(network, network, Batch(labelled, unlabelled), plan, fraction=0.5)


def test_it_is_registered_under_its_name() -> None:
    assert METHODS["dual_task_published"] is DualTaskPublished


def test_the_transform_is_a_hard_step_with_one_half_on_the_border() -> None:
    below, border, above = task_transform(torch.tensor([-0.01, 0.0, 0.01]))
    assert below > 0.999
    assert border == 0.5
    assert above < 0.001


def test_the_transform_is_finite_in_half_precision() -> None:
    values = torch.linspace(-1, 1, 101, dtype=torch.float16).requires_grad_()
    task_transform(values).sum().backward()
    assert torch.isfinite(task_transform(values)).all()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()


def test_consistency_vanishes_where_both_tasks_agree() -> None:
    level_sets = torch.tensor([-0.5, 0.5, 0.0]).view(1, 1, 3, 1, 1)
    assert task_consistency(level_sets, task_transform(level_sets)) == 0


def test_consistency_reaches_both_tasks_near_the_border() -> None:
    level_sets = torch.full((1, 1, 2, 2, 2), 0.0005, requires_grad=True)
    probabilities = torch.full((1, 1, 2, 2, 2), 0.9, requires_grad=True)
    task_consistency(level_sets, probabilities).backward()
    assert level_sets.grad is not None
    assert probabilities.grad is not None
    assert level_sets.grad.abs().min() > 0
    assert probabilities.grad.abs().min() > 0


def test_the_weight_rises_from_e_to_the_minus_five_to_its_largest() -> None:
    weights = [consistency_weight(t / 20) for t in range(21)]
    assert weights[0] == pytest.approx(CONSISTENCY_WEIGHT * math.exp(-5))
    assert weights[-1] == CONSISTENCY_WEIGHT
    assert weights == sorted(weights)


def test_unannotated_patches_count_in_the_consistency_alone(step: Step) -> None:
    method = DualTaskPublished()
    before = method.losses(step)
    assert step.batch.unlabelled is not None
    other = dataclasses.replace(step.batch.unlabelled, labels=torch.ones_like(step.batch.unlabelled.labels))
    relabelled = method.losses(dataclasses.replace(step, batch=Batch(step.batch.labelled, other)))
    assert all(torch.equal(before[name], relabelled[name]) for name in before)
    alone = method.losses(dataclasses.replace(step, batch=Batch(step.batch.labelled)))
    assert torch.allclose(alone["segmentation"], before["segmentation"])
    assert torch.allclose(alone["level_set"], before["level_set"])
    assert not torch.allclose(alone["consistency"], before["consistency"])


def test_a_patch_full_of_a_structure_gives_finite_losses(step: Step) -> None:
    full = dataclasses.replace(step.batch.labelled, labels=torch.ones_like(step.batch.labelled.labels))
    losses = DualTaskPublished().losses(dataclasses.replace(step, batch=Batch(full)))
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_a_level_set_is_taught_to_be_negative_inside(step: Step, monkeypatch) -> None:
    patches = step.batch.labelled
    inside = torch.stack([patches.labels == value for value in (1, 2)], dim=1)
    assert inside.any()

    def loss(sign: float) -> float:
        level_sets = torch.where(inside, -sign, sign)
        output = {"segmentation": torch.zeros((len(patches), 3, *inside.shape[2:])), "level_set": level_sets}
        monkeypatch.setattr(step.network, "forward", lambda images: output)
        alone = dataclasses.replace(step, batch=Batch(patches))
        return float(DualTaskPublished().losses(alone)["level_set"])

    assert loss(0.5) < loss(0.0) < loss(-0.5)


@pytest.mark.parametrize("term", ["segmentation", "level_set"])
def test_voxels_that_nobody_looked_at_teach_the_annotated_terms_nothing(
    step: Step, monkeypatch, term: str
) -> None:
    patches = step.batch.labelled
    labels = patches.labels.clone()
    labels[:, :6] = UNANNOTATED
    shape, generator = labels.shape[1:], torch.Generator().manual_seed(0)
    output = {
        name: torch.randn((len(labels), channels, *shape), generator=generator).requires_grad_()
        for name, channels in (("segmentation", 3), ("level_set", 2))
    }
    monkeypatch.setattr(step.network, "forward", lambda images: output)
    alone = dataclasses.replace(step, batch=Batch(dataclasses.replace(patches, labels=labels)))
    DualTaskPublished().losses(alone)[term].backward()
    gradient = output[term].grad
    assert gradient is not None
    assert gradient[:, :, :6].abs().max() == 0
    assert gradient[:, :, 6:].abs().max() > 0


def test_squared_dice_is_zero_for_the_truth_and_one_without_overlap() -> None:
    truth = torch.zeros((2, 1, 4, 4, 4))
    truth[:, :, :2] = 1
    assert squared_dice_loss(truth, truth) == pytest.approx(0, abs=1e-5)
    assert squared_dice_loss(1 - truth, truth) == pytest.approx(1, abs=1e-5)
