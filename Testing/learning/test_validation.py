"""Validation tells the Dice of each segment, and never a zero for what no case shows."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from medssl.events import Event, Metric, Monitor
from medssl.labels import UNANNOTATED
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.validation import Validation, segment


class ByBrightness(Network):
    """Tells the balls apart by how bright they are, as a trained network would."""

    def forward(self, x, heads=None):
        steps = torch.cat((torch.zeros_like(x), 4 * (x - 0.8), 8 * (x - 1.4)), dim=1)
        return {"segmentation": steps}


def validate(cases, plan: Plan) -> tuple[Validation, list[Event]]:
    events: list[Event] = []
    validation = Validation(cases, plan, torch.device("cpu"), Monitor(events.append))
    validation(ByBrightness(plan.network), 7)
    return validation, events


def clear(case):
    """The case with an image that is its label map, so that the expected segmentation is known."""
    return dataclasses.replace(case, image=1.2 * case.labels[None].float())


def test_a_right_segmentation_scores_one_and_is_reported(make_case, plan: Plan) -> None:
    validation, events = validate([clear(make_case(0)), clear(make_case(1))], plan)
    assert validation.dice == {"Left ball": 1.0, "Right ball": 1.0}
    assert [(e.name, e.value, e.step) for e in events if isinstance(e, Metric)] == [
        ("dice/Left ball", 1.0, 7),
        ("dice/Right ball", 1.0, 7),
    ]


def test_a_segment_that_no_case_has_is_not_scored(make_case, plan: Plan) -> None:
    case = make_case(0)
    case = dataclasses.replace(case, labels=torch.where(case.labels == 2, 0, case.labels))
    assert validate([clear(case)], plan)[0].dice == {"Left ball": 1.0}


def test_voxels_that_nobody_looked_at_do_not_count(make_case, plan: Plan) -> None:
    case = clear(make_case(0))
    labels = torch.where(case.labels == 0, UNANNOTATED, case.labels).to(torch.uint8)
    wrong_outside = case.image + torch.where(case.labels == 0, 1.2, 0.0)
    case = dataclasses.replace(case, labels=labels, image=wrong_outside)
    assert validate([case], plan)[0].dice == {"Left ball": 1.0, "Right ball": 1.0}


@pytest.mark.parametrize("sides", [(24, 28, 20), (10, 30, 5)])
def test_a_segmentation_has_the_size_of_its_image(plan: Plan, sides: tuple[int, int, int]) -> None:
    image = torch.randn((1, *sides))
    found = segment(ByBrightness(plan.network), image, plan)
    assert found.shape == sides
    assert torch.equal(found == 0, image[0] < 0.8)
