"""The automatic method: what it asks for, and that it works with as little as a project can have."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from medssl.events import Monitor
from medssl.labels import UNANNOTATED, LabelSchema
from medssl.learning.cases import TrainingCase
from medssl.learning.methods import METHODS, Step
from medssl.learning.methods.automatic import Automatic
from medssl.learning.network import Network
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from medssl.learning.sampling import Augmentation, PatchSampler
from medssl.learning.settings import TrainingSettings
from medssl.learning.trainer import train

CPU = torch.device("cpu")
FULLY_RISEN = Automatic.start + Automatic.ramp


@pytest.fixture
def step(make_case, plan: Plan) -> Step:
    torch.manual_seed(0)
    network = Network(plan.network, Automatic.heads)
    average = Network(plan.network, Automatic.heads).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    labelled = PatchSampler([make_case(0)], plan, Augmentation(), True).draw(2, generator, CPU)
    unlabelled = PatchSampler([make_case(1)], plan, Augmentation(), False).draw(2, generator, CPU)
    return Step(network, average, Batch(labelled, unlabelled), plan, FULLY_RISEN)


def losses(step: Step, **changes: object) -> dict[str, torch.Tensor]:
    return Automatic().losses(dataclasses.replace(step, **changes))


def test_it_is_registered_under_its_name() -> None:
    assert METHODS["automatic"] is Automatic


def test_it_begins_supervised_and_then_sees_as_many_unannotated_patches_as_annotated_ones() -> None:
    method = Automatic()
    assert method.unlabelled_patches(4, Automatic.start / 2) == 0
    assert [method.unlabelled_patches(count, FULLY_RISEN) for count in (1, 2, 4)] == [1, 2, 4]


def test_guesses_weigh_nothing_at_first_and_more_as_the_training_goes_on(step: Step) -> None:
    at_first, halfway, later = (
        float(losses(step, fraction=Automatic.start + part * Automatic.ramp)["consistency"].detach())
        for part in (0, 0.5, 1)
    )
    assert at_first == 0
    assert later == pytest.approx(2 * halfway)


def test_guesses_teach_both_tasks_and_never_the_one_who_guessed(step: Step) -> None:
    losses(step)["consistency"].backward()
    for head in ("segmentation", "level_set"):
        assert any(p.grad.abs().sum() > 0 for p in step.network.heads[head].parameters())
    assert all(p.grad is None for p in step.average.parameters())


def test_the_one_who_guesses_sees_the_scan_and_the_one_who_learns_another_acquisition(step: Step) -> None:
    seen: dict[str, torch.Tensor] = {}
    for name, network in (("average", step.average), ("network", step.network)):
        network.register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: inputs[0]}))
    losses(step)
    assert step.batch.unlabelled is not None
    assert torch.equal(seen["average"], step.batch.unlabelled.plain)
    assert torch.equal(seen["network"], torch.cat((step.batch.labelled.image, step.batch.unlabelled.image)))


def test_annotations_of_scans_that_count_as_unannotated_are_never_looked_at(step: Step) -> None:
    assert step.batch.unlabelled is not None
    lying = dataclasses.replace(step.batch.unlabelled, labels=torch.ones_like(step.batch.unlabelled.labels))
    honest, deceived = losses(step), losses(step, batch=Batch(step.batch.labelled, lying))
    assert all(torch.equal(honest[name], deceived[name]) for name in honest)


def test_voxels_that_nobody_looked_at_teach_nothing(step: Step) -> None:
    unknown = dataclasses.replace(
        step.batch.labelled, labels=torch.full_like(step.batch.labelled.labels, UNANNOTATED)
    )
    terms = losses(step, batch=Batch(unknown, step.batch.unlabelled))
    assert all(term == 0 for term in terms.values())  # and guesses are not trusted where nothing is known


def test_one_structure_in_one_annotated_scan_is_enough(make_case, plan: Plan) -> None:
    schema = LabelSchema.of_names({1: "Ball"})
    network = plan.network.model_copy(update={"classes": 2})
    single = plan.model_copy(update={"label_schema": schema, "network": network, "level_set_mm": (4.0,)})

    def one_ball(seed: int) -> TrainingCase:
        case = make_case(seed)
        labels = torch.where(case.labels == 1, 1, 0).to(torch.uint8)
        return dataclasses.replace(case, labels=labels, level_set=case.level_set[:1])

    unlabelled = [dataclasses.replace(make_case(i), labels=None, level_set=None) for i in (1, 2)]
    settings = TrainingSettings(method="automatic", steps=40, learning_rate=1e-2)
    trained = train([one_ball(0)], unlabelled, single, settings, CPU, Monitor())
    truth = one_ball(9)
    with torch.no_grad():
        logits = trained.network(truth.image[None, :, :24, :24, :16])["segmentation"]
    found, wanted = logits[0].argmax(dim=0) == 1, truth.labels[:24, :24, :16] == 1
    assert 2 * float((found & wanted).sum()) / float(found.sum() + wanted.sum()) > 0.6


def test_a_structure_that_no_patch_shows_spoils_nothing(make_case, plan: Plan) -> None:
    case = make_case(0)
    labels = torch.where(case.labels == 2, 0, case.labels)
    level_set = case.level_set.clone()
    level_set[1] = 1.0
    lacking = dataclasses.replace(case, labels=labels, level_set=level_set)
    unlabelled = [dataclasses.replace(make_case(1), labels=None, level_set=None)]
    settings = TrainingSettings(method="automatic", steps=6)
    trained = train([lacking], unlabelled, plan, settings, CPU, Monitor())
    assert all(p.isfinite().all() for p in trained.network.parameters())
