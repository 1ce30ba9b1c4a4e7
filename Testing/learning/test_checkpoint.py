"""A checkpoint brings back everything, and a damaged one says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from medssl.errors import StorageError
from medssl.learning.checkpoint import TrainingState, load_checkpoint, random_generator, save_checkpoint
from medssl.learning.network import Network
from medssl.learning.plan import Plan


def fresh(plan: Plan, seed: int) -> TrainingState:
    generator = random_generator(seed)
    network, average = Network(plan.network), Network(plan.network)
    return TrainingState(network, average, torch.optim.AdamW(network.parameters(), lr=1e-3), generator)


def test_weights_moments_counters_and_randomness_come_back(plan: Plan, tmp_path: Path) -> None:
    state = fresh(plan, 1)
    state.network(torch.randn((1, 1, 8, 8, 8)))["segmentation"].sum().backward()
    state.optimiser.step()
    state.step, state.elapsed_s = 41, 12.5
    torch.rand(5, generator=state.generator)
    save_checkpoint(tmp_path / "c.safetensors", state)
    expected = torch.rand(3, generator=state.generator)

    other = fresh(plan, 2)
    assert load_checkpoint(tmp_path / "c.safetensors", other)
    assert (other.step, other.elapsed_s) == (41, 12.5)
    assert torch.equal(torch.rand(3, generator=other.generator), expected)
    for mine, theirs in ((state.network, other.network), (state.average, other.average)):
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)
    mine_state, other_state = state.optimiser.state_dict()["state"], other.optimiser.state_dict()["state"]
    assert mine_state.keys() == other_state.keys()
    assert all(torch.equal(mine_state[i]["exp_avg_sq"], other_state[i]["exp_avg_sq"]) for i in mine_state)


def test_without_a_checkpoint_nothing_changes(plan: Plan, tmp_path: Path) -> None:
    state = fresh(plan, 1)
    assert not load_checkpoint(tmp_path / "none.safetensors", state)
    assert state.step == 0


def test_a_damaged_checkpoint_says_which_file_and_what_to_do(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, fresh(plan, 1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StorageError, match=r"c\.safetensors") as error:
        load_checkpoint(path, fresh(plan, 1))
    assert "Start the training again" in error.value.remedy
