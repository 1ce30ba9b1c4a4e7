"""Validation tells the Dice of each segment, and never a zero for what no case shows."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from medssl.events import Event, Metric, Monitor
from medssl.imaging.volume import Grid, Volume
from medssl.inference.predictor import Predictor
from medssl.labels import UNANNOTATED
from medssl.learning.model import Model
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.preprocessing import prepare
from medssl.learning.settings import TrainingSettings
from medssl.learning.trainer import train
from medssl.learning.validation import Validation, segment
from small_models import small_card
from watching import Watcher

CPU = torch.device("cpu")


class ByBrightness(Network):
    """Tells the balls apart by how bright they are, as a trained network would."""

    def forward(self, x, heads=None):
        steps = torch.cat((torch.zeros_like(x), 4 * (x - 0.8), 8 * (x - 1.4)), dim=1)
        return {"segmentation": steps}


def validate(cases, plan: Plan) -> tuple[Validation, list[Event]]:
    events: list[Event] = []
    validation = Validation(cases, plan, CPU, Monitor(events.append))
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


def test_a_eachthat_no_case_has_is_not_scored(make_case, plan: Plan) -> None:
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
    found = segment(ByBrightness(plan.network), image, plan, CPU)
    assert found.shape == sides
    assert torch.equal(found == 0, image[0] < 0.8)


@pytest.mark.parametrize("large", [False, True])
def test_the_dice_is_that_of_what_the_model_will_predict(
    make_case, plan: Plan, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr("medssl.learning.sliding._LARGE", 1)
    scans, cases = [], []
    for drawn in (make_case(0), make_case(9)):
        grid = Grid(tuple(reversed(drawn.labels.shape)), (1.0, 1.0, 1.0))
        scans.append(Volume(drawn.image[0].numpy(), grid))
        cases.append(dataclasses.replace(drawn, image=prepare(scans[-1:], plan).image))
    settings = TrainingSettings(method="supervised", steps=60, learning_rate=1e-2)
    network = train(cases[:1], [], plan, settings, CPU, Monitor()).network
    validation = Validation(cases[1:], plan, CPU, Monitor())
    validation(network, 60)
    found = Predictor(Model(network, plan, small_card("model")), "cpu").predict(scans[1:]).values
    truth = cases[1].labels.numpy()
    assert validation.dice is not None
    for index, each in enumerate(plan.label_schema.segments, start=1):
        mine, theirs = found == each.value, truth == index
        expected = 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum())
        assert 0.1 < expected < 1
        assert validation.dice[each.name] == pytest.approx(expected, abs=0.005)


class TooLarge(ByBrightness):
    """Needs more memory than there is, until `helped`."""

    helped = False

    def forward(self, x, heads=None):
        if not self.helped:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(x, heads)


def test_without_the_memory_for_it_there_is_no_dice_which_is_told_once(make_case, plan: Plan) -> None:
    watcher, network = Watcher(), TooLarge(plan.network)
    validation = Validation([clear(make_case(0))], plan, CPU, watcher)
    for step, helped in ((1, True), (2, False), (3, False)):
        network.helped = helped
        validation(network, step)
    assert validation.dice is None
    (told,) = watcher.warnings
    assert "not enough memory to validate on the case case 0" in told
    assert watcher.values("dice/Left ball") == {1: 1.0}


def test_a_validation_stops_when_asked(make_case, plan: Plan) -> None:
    watcher = Watcher()
    watcher.cancel()
    validation = Validation([clear(make_case(0))], plan, CPU, watcher)
    validation(ByBrightness(plan.network), 1)
    assert validation.dice is None
    assert watcher.events == []
