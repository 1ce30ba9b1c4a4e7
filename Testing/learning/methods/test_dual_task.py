"""Dual-task consistency: what each term sees, and what it leaves alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from medssl.labels import UNANNOTATED
from medssl.learning.methods import METHODS, Step
from medssl.learning.methods.dual_task import RAMP, START, DualTask, level_set_loss, worst_dice
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from training_steps import gradient, make_step


@pytest.fixture
def step(make_case, plan: Plan) -> Step:
    return make_step(DualTask, make_case(0), make_case(1), plan)


def test_it_is_registered_under_its_name() -> None:
    assert METHODS["dual_task"] is DualTask


def test_unannotated_patches_join_only_when_the_consistency_has_set_in() -> None:
    method = DualTask()
    assert method.unlabelled_patches(4, 0.0) == 0
    assert method.unlabelled_patches(4, START) == 2
    assert method.unlabelled_patches(1, 1.0) == 1


def test_without_unannotated_patches_there_is_no_consistency(step: Step) -> None:
    alone = dataclasses.replace(step, batch=Batch(step.batch.labelled))
    assert set(DualTask().losses(alone)) == {"segmentation", "level_set"}


def test_consistency_rises_from_nothing_to_its_weight(step: Step) -> None:
    at = [
        DualTask().losses(dataclasses.replace(step, fraction=fraction))["consistency"].item()
        for fraction in (START, START + RAMP / 2, START + RAMP, 1.0)
    ]
    assert at[0] == 0
    assert at[3] > 0
    assert at[1:3] == pytest.approx([at[3] / 2, at[3]])


def test_consistency_weighs_as_the_worst_annotated_structure_fares(step: Step) -> None:
    patches = step.batch.labelled
    with torch.no_grad():
        logits = step.network(patches.image)["segmentation"]
    swapped = torch.where(patches.labels == 1, 2, torch.where(patches.labels == 2, 1, patches.labels))
    trust, found = [], []
    for labels in (patches.labels, swapped):
        batch = Batch(dataclasses.replace(patches, labels=labels), step.batch.unlabelled)
        trust.append(worst_dice(logits, labels).item())
        found.append(DualTask().losses(dataclasses.replace(step, batch=batch))["consistency"].item())
    assert trust[0] != pytest.approx(trust[1], rel=0.01)
    assert found[0] / trust[0] == pytest.approx(found[1] / trust[1], rel=1e-4)


def test_consistency_reaches_both_heads_and_never_the_average(step: Step) -> None:
    DualTask().losses(step)["consistency"].backward()
    assert gradient(step.network, "heads.segmentation") > 0
    assert gradient(step.network, "heads.level_set") > 0
    assert gradient(step.average, "") == 0


def test_labels_of_unannotated_patches_are_never_looked_at(step: Step) -> None:
    method = DualTask()
    before = method.losses(step)
    assert step.batch.unlabelled is not None
    lying = dataclasses.replace(step.batch.unlabelled, labels=torch.ones_like(step.batch.unlabelled.labels))
    after = method.losses(dataclasses.replace(step, batch=Batch(step.batch.labelled, lying)))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_where_the_tasks_of_the_average_disagree_nothing_is_asked(step: Step) -> None:
    with torch.no_grad():
        # Segmentation says 'first structure' everywhere, the level sets say 'outside' everywhere.
        for head, bias in (("segmentation", [0.0, 50.0, 0.0]), ("level_set", [50.0, 50.0])):
            layer = step.average.heads[head] if head == "segmentation" else step.average.heads[head][0]
            layer.weight.zero_()
            layer.bias.copy_(torch.tensor(bias))
    assert DualTask().losses(step)["consistency"] == 0


def test_what_the_average_guesses_beyond_the_scan_is_not_taught(step: Step) -> None:
    others = step.batch.unlabelled
    assert others is not None
    beyond = dataclasses.replace(others, inside=torch.zeros_like(others.inside))
    assert DualTask().losses(step)["consistency"] > 0
    nowhere = dataclasses.replace(step, batch=Batch(step.batch.labelled, beyond))
    assert DualTask().losses(nowhere)["consistency"] == 0


def test_level_set_loss_ignores_what_nobody_looked_at() -> None:
    truth = -torch.ones((1, 1, 4, 4, 4))
    found = truth.clone()
    found[:, :, :2] = 1.0
    labels = torch.ones((1, 4, 4, 4), dtype=torch.int64)
    labels[:, :2] = UNANNOTATED
    assert level_set_loss(found, truth, labels) == 0
    assert level_set_loss(found, truth, torch.ones_like(labels)) == pytest.approx(2.0)


def test_unknown_distances_count_nowhere_and_spoil_nothing() -> None:
    truth = -torch.ones((1, 1, 4, 4, 4))
    truth[:, :, :2] = torch.nan
    found = torch.zeros_like(truth).requires_grad_()
    loss = level_set_loss(found, truth, torch.ones((1, 4, 4, 4), dtype=torch.int64))
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    assert found.grad is not None
    assert found.grad[:, :, :2].abs().max() == 0


def test_a_class_that_a_patch_lacks_weighs_little() -> None:
    truth = torch.ones((1, 2, 4, 4, 4))
    truth[:, 0, 0] = -1
    labels = torch.zeros((1, 4, 4, 4), dtype=torch.int64)
    wrong_present, wrong_absent = truth.clone(), truth.clone()
    wrong_present[:, 0] += 0.5
    wrong_absent[:, 1] -= 0.5
    present = level_set_loss(wrong_present, truth, labels)
    assert present == pytest.approx(10 * float(level_set_loss(wrong_absent, truth, labels)), rel=1e-4)


def test_trust_is_the_dice_of_the_worst_structure() -> None:
    labels = torch.zeros((1, 4, 4, 4), dtype=torch.int64)
    labels[:, 0], labels[:, 3] = 1, 2
    logits = 50 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    assert worst_dice(logits, labels) == pytest.approx(1, abs=1e-4)
    logits[:, 2] = -50  # the second structure is never found
    assert worst_dice(logits, labels) == pytest.approx(0, abs=1e-3)
    assert worst_dice(logits, torch.zeros_like(labels)) == 0
