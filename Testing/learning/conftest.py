"""Small cases that a network can learn in seconds: two balls of different brightness; and a small project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.learning.cases import TrainingCase
from medssl.learning.distance import level_set
from medssl.learning.plan import Plan
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from small_models import small_plan

SIDES = (24, 28, 20)


@pytest.fixture
def plan() -> Plan:
    return small_plan(LabelSchema.of_names({1: "Left ball", 4: "Right ball"}), features=(8, 16, 16))


@pytest.fixture
def make_case(plan: Plan) -> Callable[[int], TrainingCase]:
    def make(seed: int) -> TrainingCase:
        rng = np.random.default_rng(seed)
        places = np.stack(np.meshgrid(*(np.arange(n) for n in SIDES), indexing="ij"), axis=-1)
        classes = np.zeros(SIDES, dtype=np.uint8)
        image = rng.normal(0, 0.3, SIDES)
        for index, (row, brightness) in enumerate(((8, 1.5), (20, 3.0)), start=1):
            centre = np.array([12, row, 10]) + rng.uniform(-1.5, 1.5, 3)
            inside = np.linalg.norm(places - centre, axis=-1) < rng.uniform(4, 5.5)
            classes[inside] = index
            image[inside] += brightness
        return TrainingCase(
            name=f"case {seed}",
            image=torch.from_numpy(image[None].astype(np.float32)),
            labels=torch.from_numpy(classes),
            level_set=torch.from_numpy(level_set(classes, 2, plan.spacing_mm, plan.level_set_mm)),
        )

    return make


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Four small scans; the first is annotated."""
    made = Project.create(tmp_path / "project", SCHEMA)
    for seed in range(4):
        phantom = make_phantom(seed, size=(16, 24, 20))
        path = tmp_path / f"scan {seed}.nii.gz"
        write_volume(path, phantom.image)
        made.add_case(f"scan {seed}", [path])
    made.save_annotation("scan 0", make_phantom(0, size=(16, 24, 20)).labels.array)
    return made
