"""A small model that segments phantoms a little, as a folder; trained once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from medssl.labels import LabelSchema, Segment
from medssl.learning.model import ModelCard, save_model
from medssl.learning.network import HeadName, Network
from medssl.learning.plan import NetworkShape, Normalisation, Plan
from medssl.phantom import SCHEMA

HEADS: tuple[HeadName, ...] = ("segmentation", "level_set")


def make_plan() -> Plan:
    first, second = SCHEMA.segments
    # Values that are not the class numbers, a mirrored axis and a largest piece: nothing may get lost.
    segments = (
        Segment(**{**first.model_dump(), "value": 4}),
        Segment(**{**second.model_dump(), "value": 2}),
    )
    return Plan(
        label_schema=LabelSchema(segments=segments, mirror_axes=("front-back",)),
        channel_names=("MR",),
        spacing_mm=(2.5, 2.0, 2.2),
        normalisation=(Normalisation(kind="percentile", low=0.5, high=99.5),),
        patch_size=(16, 24, 24),
        batch_size=2,
        network=NetworkShape(
            channels=1,
            classes=3,
            features=(4, 8),
            strides=((1, 1, 1), (2, 2, 2)),
            kernels=((3, 3, 3), (3, 3, 3)),
            convolutions=(1, 1),
        ),
        level_set_mm=(5.0, 5.0),
    )


def make_card(heads: tuple[HeadName, ...] = HEADS) -> ModelCard:
    return ModelCard(
        id="20260101-000000-abcd",
        name="Kidneys | small",
        method="supervised",
        heads=heads,
        created="2026-01-01T00:00:00+00:00",
        medssl_version="0",
        annotated_cases=2,
        unannotated_cases=5,
        steps=10,
        seconds=3.0,
        seed=7,
        validation_dice={"Kidney": 0.81, "Renal pelvis": 0.7},
    )


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
