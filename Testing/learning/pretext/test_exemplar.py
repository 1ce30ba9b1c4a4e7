"""The triplet loss of the exemplar task."""

from __future__ import annotations

from statistics import fmean

import pytest
import torch
from medssl.learning.checkpoint import random_generator
from medssl.learning.plan import Plan
from medssl.learning.pretext import Scans
from medssl.learning.pretext.exemplar import MARGIN, Exemplar, Exemplars, triplet_loss

OTHERS = ~torch.eye(3, dtype=torch.bool)


def distances(own: float, others: float) -> torch.Tensor:
    return torch.where(OTHERS, others, own)


def test_nothing_is_lost_when_negatives_are_farther_by_the_margin() -> None:
    assert triplet_loss(distances(0.1, 0.1 + MARGIN), OTHERS) == pytest.approx(0, abs=1e-6)
    assert triplet_loss(distances(0.1, 0.2), OTHERS) == pytest.approx(MARGIN - 0.1)


def test_embeddings_that_are_all_the_same_lose_exactly_the_margin() -> None:
    assert triplet_loss(torch.zeros((3, 3)), OTHERS) == pytest.approx(MARGIN)


def test_the_negative_is_the_nearest_that_is_farther_than_the_positive() -> None:
    found = torch.tensor([[0.5, 0.4, 0.6], [9.0, 0.0, 9.0], [9.0, 9.0, 0.0]])
    assert triplet_loss(found, OTHERS) == pytest.approx((0.5 - 0.6 + MARGIN) / 3)


def test_when_all_negatives_are_nearer_the_farthest_counts() -> None:
    found = torch.tensor([[0.5, 0.2, 0.4], [9.0, 0.0, 9.0], [9.0, 9.0, 0.0]])
    assert triplet_loss(found, OTHERS) == pytest.approx((0.5 - 0.4 + MARGIN) / 3)


class AsItIs(torch.nn.Module):
    """In place of an encoder: what is seen is what was shown, on one level."""

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images]


def test_crops_of_the_same_scan_are_no_negatives(plan: Plan) -> None:
    task = Exemplar(plan)
    task.encoder, task.projection = AsItIs(), torch.nn.Flatten()
    alike = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]]).view(3, 1, 1, 1, 2)

    def loss(*scans: int) -> float:
        return float(task.learn(Exemplars(alike, alike, torch.tensor(scans))).losses["exemplar"])

    assert loss(0, 0, 1) == 0
    assert loss(0, 1, 2) > 0.1  # the first two are too much alike for crops of different scans


def test_all_three_share_one_projection_so_that_no_constant_satisfies_it(scans: Scans, plan: Plan) -> None:
    task = Exemplar(plan)
    batch = task.draw(scans, torch.Generator().manual_seed(0), torch.device("cpu"))
    torch.nn.init.zeros_(task.projection[-1].weight)  # whatever the image, the same vector
    assert float(task.learn(batch).losses["exemplar"].detach()) == pytest.approx(MARGIN, abs=1e-5)
    others = [name for name, _ in task.named_children()]
    assert others == ["encoder", "projection"]


def test_a_part_of_a_scan_is_found_again_more_often_than_by_chance(scans: Scans, plan: Plan) -> None:
    """The loss alone does not tell: vectors at random distances lose less than the margin as well."""
    generator = random_generator(0)
    torch.manual_seed(0)
    task = Exemplar(plan)
    optimiser = torch.optim.AdamW(task.parameters(), lr=3e-3)
    found = []
    for _ in range(120):
        outcome = task.learn(task.draw(scans, generator, torch.device("cpu")))
        optimiser.zero_grad()
        outcome.losses["exemplar"].backward()
        optimiser.step()
        found.append(float(outcome.figures["accuracy"]))
    chance = 1 / 8
    # 640 answers: four standard deviations of chance are 0.052.
    assert fmean(found[40:]) > chance + 0.052
