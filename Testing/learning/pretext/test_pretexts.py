"""Every pretext task learns from a few scans, and trains the very encoder that segmentation uses."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
import torch
from medssl.learning.checkpoint import random_generator
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.pretext import PRETEXTS, Scans

CPU = torch.device("cpu")
# What a network that knows nothing loses, and how much of that may be left after so many steps.
LEARNS = {
    "pgl": (2.0, 0.25, 20),
    "cpc": (math.log(128), 0.85, 60),
    "rotation": (math.log(10), 0.9, 100),
    "jigsaw": (math.log(100), 0.5, 40),
    "relative_location": (math.log(26), 0.3, 20),
    "exemplar": (0.3, 0.75, 40),
}


@pytest.mark.parametrize("name", sorted(PRETEXTS))
def test_every_task_is_learned(scans: Scans, plan: Plan, name: str) -> None:
    chance, left, steps = LEARNS[name]
    generator = random_generator(0)
    task = PRETEXTS[name](plan)
    before = {key: weight.clone() for key, weight in task.encoder.state_dict().items()}
    optimiser = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for step in range(steps):
        outcome = task.learn(task.draw(scans, generator, CPU))
        total = torch.stack(list(outcome.losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimiser.step()
        task.after_step(step / steps)
        losses.append(float(total.detach()))
    assert losses[0] == pytest.approx(chance, rel=0.3)
    assert fmean(losses[-5:]) < left * chance
    after = task.encoder.state_dict()
    assert not [key for key, weight in before.items() if torch.equal(weight, after[key])]


@pytest.mark.parametrize("name", sorted(PRETEXTS))
def test_every_task_trains_the_encoder_of_segmentation(plan: Plan, name: str) -> None:
    network = Network(plan.network)
    network.encoder.load_state_dict(PRETEXTS[name](plan).encoder.state_dict(), strict=True)


@pytest.mark.parametrize("name", sorted(PRETEXTS))
def test_the_same_random_numbers_give_the_same_batch_and_loss(scans: Scans, plan: Plan, name: str) -> None:
    random_generator(0)
    task = PRETEXTS[name](plan)

    def loss(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        return float(sum(task.learn(task.draw(scans, generator, CPU)).losses.values()).detach())

    assert loss(1) == loss(1) != loss(2)


@pytest.mark.parametrize("name", sorted(PRETEXTS))
def test_scans_of_any_size_are_taken(make_scan, plan: Plan, name: str) -> None:
    small = Scans([make_scan(0, (9, 30, 20)), make_scan(1, (40, 12, 14)), make_scan(2, (3, 10, 10))])
    task = PRETEXTS[name](plan)
    outcome = task.learn(task.draw(small, torch.Generator().manual_seed(0), CPU))
    assert all(bool(value.isfinite()) for value in (outcome.losses | outcome.figures).values())


@pytest.mark.parametrize("name", sorted(PRETEXTS))
def test_every_task_loses_nearly_the_same_in_mixed_precision(scans: Scans, plan: Plan, name: str) -> None:
    random_generator(0)
    task = PRETEXTS[name](plan)
    batch = task.draw(scans, torch.Generator().manual_seed(1), CPU)
    exact = task.learn(batch).losses[name]
    with torch.autocast("cpu", torch.bfloat16):
        mixed = task.learn(batch).losses[name]
    assert mixed.dtype == torch.float32
    assert float(mixed.detach()) == pytest.approx(float(exact.detach()), rel=0.05)


def test_a_task_says_how_many_scans_it_needs() -> None:
    assert [name for name, task in PRETEXTS.items() if task.least_scans > 1] == ["exemplar"]
    assert PRETEXTS["exemplar"].least_scans == 2
