"""Supervised training: the loss that its docstring states, from annotated voxels and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from medssl.events import Monitor
from medssl.labels import UNANNOTATED
from medssl.learning.cases import TrainingCase
from medssl.learning.methods import METHODS, Step
from medssl.learning.methods.supervised import Supervised
from medssl.learning.network import Network
from medssl.learning.patches import Batch, Patches
from medssl.learning.plan import Plan
from medssl.learning.settings import TrainingSettings
from medssl.learning.trainer import train
from numpy.typing import NDArray
from torch import Tensor
from training_steps import gradient, make_step

CPU = torch.device("cpu")
MakeCase = Callable[[int], TrainingCase]


@pytest.fixture
def step(make_case: MakeCase, plan: Plan) -> Step:
    return make_step(Supervised, make_case(0), make_case(1), plan)


def with_labels(step: Step, labels: Tensor) -> Step:
    patches: Patches = dataclasses.replace(step.batch.labelled, labels=labels)
    return dataclasses.replace(step, batch=Batch(patches, step.batch.unlabelled))


def loss_of(step: Step) -> Tensor:
    (loss,) = Supervised().losses(step).values()
    return loss


def stated_loss(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """L_Dice + L_CE, voxel by voxel: `(B, K, D, H, W)` and `(B, D, H, W)`."""
    voxels = np.moveaxis(logits, 1, -1).reshape(-1, logits.shape[1])
    truth = labels.reshape(-1)
    voxels, truth = voxels[truth != 255], truth[truth != 255]
    powers = np.exp(voxels - voxels.max(axis=1, keepdims=True))
    found = powers / powers.sum(axis=1, keepdims=True)
    entropy = -np.log(found[np.arange(len(truth)), truth]).mean()
    dice = [
        2 * found[truth == index, index].sum() / ((truth == index).sum() + found[:, index].sum())
        for index in range(1, logits.shape[1])
        if (truth == index).any()
    ]
    return float(entropy + 1 - np.mean(dice))


def test_it_is_registered_under_its_name() -> None:
    assert METHODS["supervised"] is Supervised


@pytest.mark.parametrize("left_out", ["nothing", "some slices", "a structure"])
def test_the_loss_is_dice_plus_cross_entropy_of_what_is_annotated(step: Step, left_out: str) -> None:
    labels = step.batch.labelled.labels.clone()
    assert {1, 2} <= set(labels.unique().tolist())
    if left_out == "some slices":
        labels[:, :6] = UNANNOTATED
    elif left_out == "a structure":
        labels[labels == 2] = UNANNOTATED
    with torch.no_grad():
        logits = step.network(step.batch.labelled.image)["segmentation"]
    expected = stated_loss(logits.double().numpy(), labels.numpy())
    assert float(loss_of(with_labels(step, labels))) == pytest.approx(expected, rel=1e-4)


def test_where_nobody_looked_nothing_is_learned(step: Step) -> None:
    labels = step.batch.labelled.labels.clone()
    labels[:, :6] = UNANNOTATED
    pulls: list[Tensor] = []
    step.network.heads["segmentation"].register_full_backward_hook(
        lambda layer, inner, outer: pulls.append(outer[0])
    )
    loss_of(with_labels(step, labels)).backward()
    (pull,) = pulls
    assert pull[:, :, :6].abs().max() == 0
    assert pull[:, :, 6:].abs().max() > 0


def test_of_a_patch_without_an_annotated_voxel_nothing_is_learned(step: Step) -> None:
    nobody = torch.full_like(step.batch.labelled.labels, UNANNOTATED)
    loss = loss_of(with_labels(step, nobody))
    loss.backward()
    assert loss == 0
    assert gradient(step.network, "") == 0


def test_unannotated_patches_are_not_asked_for_and_change_nothing(step: Step) -> None:
    assert {Supervised().unlabelled_patches(n, f) for n in (1, 4) for f in (0.0, 0.5, 1.0)} == {0}
    alone = dataclasses.replace(step, batch=Batch(step.batch.labelled))
    assert torch.equal(loss_of(step), loss_of(alone))


def weights(network: Network) -> Tensor:
    return torch.cat([parameter.flatten() for parameter in network.parameters()])


def test_a_training_never_looks_into_unannotated_cases(make_case: MakeCase, plan: Plan) -> None:
    unreadable = torch.full_like(make_case(1).image, torch.nan)
    others = [TrainingCase(name="other", image=unreadable, labels=None)]
    settings = TrainingSettings(method="supervised", steps=3)
    with_others, alone = (
        train([make_case(0)], unlabelled, plan, settings, CPU, Monitor()).network
        for unlabelled in (others, [])
    )
    assert torch.isfinite(weights(with_others)).all()
    assert torch.equal(weights(with_others), weights(alone))


def test_it_learns_from_every_third_slice_of_one_case(make_case: MakeCase, plan: Plan) -> None:
    case, other = make_case(0), make_case(9)
    assert case.labels is not None
    assert other.labels is not None
    few = torch.full_like(case.labels, UNANNOTATED)
    few[::3] = case.labels[::3]
    settings = TrainingSettings(method="supervised", steps=80, learning_rate=1e-2)
    network = train([dataclasses.replace(case, labels=few)], [], plan, settings, CPU, Monitor()).network
    image = torch.nn.functional.pad(other.image[None], (2, 2, 2, 2, 0, 0), mode="replicate")
    with torch.no_grad():
        found = network(image)["segmentation"].argmax(dim=1)[0, :, 2:-2, 2:-2]
    for index in (1, 2):
        both = ((found == index) & (other.labels == index)).sum()
        assert 2 * both / ((found == index).sum() + (other.labels == index).sum()) > 0.7
