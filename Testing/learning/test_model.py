"""A model comes back from its folder as it was, and a damaged folder says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from medssl.errors import ModelError
from medssl.learning.model import ModelCard, load_model, read_card, read_weights, save_model
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.planner import write_plan
from small_models import small_card


@pytest.fixture
def card() -> ModelCard:
    return small_card("m1", "Balls", "dual_task", heads=("segmentation", "level_set"))


@pytest.fixture
def folder(tmp_path: Path, plan: Plan, card: ModelCard) -> Path:
    torch.manual_seed(0)
    save_model(tmp_path / "m1", Network(plan.network, card.heads), plan, card)
    return tmp_path / "m1"


def test_a_model_predicts_the_same_after_loading(folder: Path, plan: Plan, card: ModelCard) -> None:
    torch.manual_seed(0)
    network = Network(plan.network, card.heads).eval()
    model = load_model(folder)
    assert model.plan == plan
    assert model.card == card
    image = torch.randn((1, 1, 16, 16, 16))
    with torch.no_grad():
        for name, expected in network(image).items():
            assert torch.allclose(model.network(image)[name], expected, atol=1e-4)


@pytest.mark.parametrize("missing", ["weights.safetensors", "card.json", "plan.json"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=missing):
        load_model(folder)


@pytest.mark.parametrize("damaged", ["weights.safetensors", "card.json", "plan.json"])
def test_a_damaged_file_is_named(folder: Path, damaged: str) -> None:
    path = folder / damaged
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    with pytest.raises(ModelError, match=damaged):
        load_model(folder)


def test_weights_of_another_network_are_refused(folder: Path, plan: Plan, card: ModelCard) -> None:
    other = plan.model_copy(update={"network": plan.network.model_copy(update={"features": (4, 8, 8)})})
    save_model(folder.parent / "other", Network(other.network, card.heads), other, card)
    (folder.parent / "other" / "weights.safetensors").replace(folder / "weights.safetensors")
    with pytest.raises(ModelError, match="do not fit"):
        load_model(folder)


@pytest.mark.parametrize("features", [(8, 16, 24), (8, 16, 10**9)])
@pytest.mark.parametrize("read", [load_model, read_weights])
def test_a_plan_that_was_changed_to_another_network_is_found_out_before_memory_is_taken_for_it(
    folder: Path, plan: Plan, features: tuple[int, ...], read: Callable[[Path], object]
) -> None:
    network = plan.network.model_copy(update={"features": features})
    write_plan(folder / "plan.json", plan.model_copy(update={"network": network}))
    with pytest.raises(ModelError, match="do not fit the plan beside them") as caught:
        read(folder)
    assert str(folder / "weights.safetensors") in caught.value.what
    assert "tensors differ, such as " in caught.value.what
    assert "plan.json" in caught.value.remedy


def test_what_is_wrong_on_a_card_is_named(folder: Path) -> None:
    path = folder / "card.json"
    path.write_text(path.read_text().replace('"steps": 1', '"steps": "many"'), encoding="utf-8-sig")
    with pytest.raises(ModelError, match=r"steps: Input should be a valid integer") as caught:
        read_card(folder)
    assert str(path) in caught.value.what


def test_a_folder_without_a_card_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no complete model"):
        read_card(tmp_path)
