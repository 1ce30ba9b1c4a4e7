"""A small model that segments phantoms a little, as a folder; trained once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from medssl.labels import LabelSchema, Segment
from medssl.learning.model import ModelCard, save_model
from medssl.learning.network import HeadName, Network
from medssl.learning.plan import Plan
from medssl.phantom import SCHEMA
from small_models import small_card, small_plan

HEADS: tuple[HeadName, ...] = ("segmentation", "level_set")


def make_plan() -> Plan:
    first, second = SCHEMA.segments
    # Values that are not the class numbers, a mirrored axis and a largest piece: nothing may get lost.
    segments = (
        Segment(**{**first.model_dump(), "value": 4}),
        Segment(**{**second.model_dump(), "value": 2}),
    )
    schema = LabelSchema(segments=segments, mirror_axes=("front-back",))
    return small_plan(schema, ("MR",), (2.5, 2.0, 2.2), patch_size=(16, 24, 24), features=(4, 8))


def make_card(heads: tuple[HeadName, ...] = HEADS) -> ModelCard:
    facts = {
        "annotated_cases": 2,
        "unannotated_cases": 5,
        "steps": 10,
        "seconds": 3.0,
        "seed": 7,
        "validation_dice": {"Kidney": 0.81, "Renal pelvis": 0.7},
    }
    return small_card("20260101-000000-abcd", "Kidneys | small", heads=heads).model_copy(update=facts)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose classes follow the brightness, so that its answer has borders like a trained one's."""
    return train_a_little(make_plan(), tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def two_channel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for scans of two channels."""
    one = make_plan()
    plan = one.model_copy(
        update={
            "channel_names": ("T1", "T2"),
            "normalisation": one.normalisation * 2,
            "network": one.network.model_copy(update={"channels": 2}),
        }
    )
    return train_a_little(plan, tmp_path_factory.mktemp("model of two channels"))


def train_a_little(plan: Plan, folder: Path) -> Path:
    torch.manual_seed(3)
    network = Network(plan.network, HEADS)
    images = torch.randn(2, plan.network.channels, 16, 24, 24)
    smooth = torch.nn.functional.avg_pool3d(images, 5, 1, 2) * 8
    seen = smooth.mean(dim=1)
    target = (seen > 0.3).long() + (seen > 1.2).long()
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(smooth)["segmentation"], target).backward()
        optimiser.step()
    save_model(folder, network, plan, make_card())
    return folder
