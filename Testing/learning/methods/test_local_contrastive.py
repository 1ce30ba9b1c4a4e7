"""Local contrast as a method: when it sets in, what it may look at, and what it leaves alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from medssl.errors import Cancelled
from medssl.events import Monitor
from medssl.labels import UNANNOTATED, LabelSchema
from medssl.learning.losses import segmentation_loss
from medssl.learning.methods import METHODS, Step
from medssl.learning.methods.local_contrastive import RAMP, START, LocalContrastive
from medssl.learning.network import Network
from medssl.learning.patches import Batch
from medssl.learning.plan import Plan
from medssl.learning.sampling import Augmentation, PatchSampler
from medssl.learning.settings import TrainingSettings
from medssl.learning.trainer import train
from training_steps import gradient, make_step
from watching import Watcher

CPU = torch.device("cpu")


@pytest.fixture
def step(make_case, plan: Plan) -> Step:
    return make_step(LocalContrastive, make_case(0), make_case(1), plan)


def guessing(step: Step, bias: list[float]) -> Step:
    """The step with a teacher that sees the same class everywhere."""
    with torch.no_grad():
        step.average.heads["segmentation"].weight.zero_()
        step.average.heads["segmentation"].bias.copy_(torch.tensor(bias))
    return step


def test_it_is_registered_under_its_name() -> None:
    assert METHODS["local_contrastive"] is LocalContrastive


def test_what_is_guessed_beyond_the_scan_is_not_compared(step: Step) -> None:
    guessing(step, [0.0, 50.0, 0.0])
    others = step.batch.unlabelled
    assert others is not None
    beyond = dataclasses.replace(others, inside=torch.zeros_like(others.inside))
    nowhere = dataclasses.replace(step, batch=Batch(step.batch.labelled, beyond))
    without = dataclasses.replace(step, batch=Batch(step.batch.labelled))
    contrast = [LocalContrastive().losses(of)["contrast"] for of in (step, nowhere, without)]
    assert torch.allclose(contrast[1], contrast[2], rtol=1e-5)
    assert not torch.allclose(contrast[0], contrast[1], rtol=1e-4)


def test_the_settings_say_which_guesses_are_sure_enough(step: Step) -> None:
    settings = TrainingSettings(method="local_contrastive", steps=1)
    everything = LocalContrastive.of(settings).losses(step)["contrast"]
    sure = LocalContrastive.of(settings.model_copy(update={"confidence": 0.99})).losses(step)["contrast"]
    assert torch.equal(everything, LocalContrastive().losses(step)["contrast"])
    assert torch.equal(sure, LocalContrastive(confidence=0.99).losses(step)["contrast"])
    assert not torch.equal(everything, sure)


def test_methods_that_do_not_weigh_guesses_refuse_a_confidence() -> None:
    with pytest.raises(ValueError, match="local_contrastive"):
        TrainingSettings(method="automatic", steps=1, confidence=0.9)


def test_the_start_is_supervised(step: Step) -> None:
    early = dataclasses.replace(step, batch=Batch(step.batch.labelled), fraction=START / 2)
    method = LocalContrastive()
    assert method.unlabelled_patches(4, early.fraction) == 0
    assert set(method.losses(early)) == {"segmentation"}


def test_unannotated_patches_join_with_the_contrast() -> None:
    assert LocalContrastive().unlabelled_patches(4, START) == 2
    assert LocalContrastive().unlabelled_patches(1, 1.0) == 1


def test_the_contrast_rises_from_nothing(step: Step) -> None:
    def contrast(fraction: float) -> float:
        return LocalContrastive().losses(dataclasses.replace(step, fraction=fraction))["contrast"].item()

    assert contrast(START) == 0
    assert contrast(START + RAMP) == pytest.approx(contrast(1.0))
    assert 0 < contrast(START + RAMP / 2) < contrast(1.0)


def test_annotated_patches_alone_are_enough(step: Step) -> None:
    alone = dataclasses.replace(step, batch=Batch(step.batch.labelled))
    assert LocalContrastive().losses(alone)["contrast"] > 0


def test_the_contrast_reaches_decoder_and_projection_but_neither_classes_nor_average(step: Step) -> None:
    LocalContrastive().losses(step)["contrast"].backward()
    assert gradient(step.network, "heads.projection") > 0
    assert gradient(step.network, "decoder") > 0
    assert gradient(step.network, "heads.segmentation") == 0
    assert gradient(step.average, "") == 0


def test_the_segmentation_loss_sees_annotated_patches_alone(step: Step) -> None:
    patches = step.batch.labelled
    expected = segmentation_loss(step.network(patches.image)["segmentation"], patches.labels)
    assert torch.allclose(LocalContrastive().losses(step)["segmentation"], expected, atol=1e-5)


def test_labels_of_unannotated_patches_are_never_looked_at(step: Step) -> None:
    method = LocalContrastive()
    before = method.losses(step)
    assert step.batch.unlabelled is not None
    lying = dataclasses.replace(step.batch.unlabelled, labels=torch.ones_like(step.batch.unlabelled.labels))
    after = method.losses(dataclasses.replace(step, batch=Batch(step.batch.labelled, lying)))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_other_guesses_change_the_contrast_and_no_annotation(step: Step) -> None:
    labels = step.batch.labelled.labels.clone()
    alone = dataclasses.replace(step, batch=Batch(step.batch.labelled))
    method = LocalContrastive()
    first = method.losses(guessing(step, [0.0, 50.0, 0.0]))["contrast"]
    second = method.losses(guessing(step, [0.0, 0.0, 50.0]))["contrast"]
    assert not torch.allclose(first, second)
    # Guesses are for unannotated patches: without those, the teacher has no say.
    assert torch.equal(
        method.losses(alone)["contrast"], method.losses(guessing(alone, [0, 50, 0]))["contrast"]
    )
    assert torch.equal(step.batch.labelled.labels, labels)


def test_the_one_who_guesses_sees_the_scan_and_the_one_who_learns_another_acquisition(step: Step) -> None:
    seen: dict[str, torch.Tensor] = {}
    for name, network in (("average", step.average), ("network", step.network)):
        network.register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: inputs[0]}))
    LocalContrastive().losses(step)
    assert step.batch.unlabelled is not None
    assert torch.equal(seen["average"], step.batch.unlabelled.plain)
    assert torch.equal(seen["network"], torch.cat((step.batch.labelled.image, step.batch.unlabelled.image)))


def test_voxels_that_nobody_looked_at_are_not_guessed(step: Step) -> None:
    nothing = torch.full_like(step.batch.labelled.labels, UNANNOTATED)
    unknown = dataclasses.replace(step.batch.labelled, labels=nothing)
    losses = LocalContrastive().losses(dataclasses.replace(step, batch=Batch(unknown)))
    assert losses["contrast"] == 0
    assert losses["segmentation"] == 0


def test_a_filter_drops_unsure_guesses(step: Step) -> None:
    unsure = guessing(step, [0.0, 0.3, 0.0])
    with torch.no_grad():
        step.average.heads["segmentation"].weight.normal_(std=0.05)
    assert not torch.allclose(
        LocalContrastive().losses(unsure)["contrast"], LocalContrastive(0.9).losses(unsure)["contrast"]
    )


def test_guesses_count_nothing_while_the_known_is_not_learned(step: Step) -> None:
    with torch.no_grad():  # a network that finds no structure at all
        step.network.heads["segmentation"].weight.zero_()
        step.network.heads["segmentation"].bias.copy_(torch.tensor([200.0, 0.0, 0.0]))
    alone = dataclasses.replace(step, batch=Batch(step.batch.labelled))
    method = LocalContrastive()
    found, expected = method.losses(step)["contrast"], method.losses(alone)["contrast"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_one_structure_in_one_annotated_case_is_enough(make_case, plan: Plan) -> None:
    single = plan.model_copy(
        update={
            "label_schema": LabelSchema.of_names({1: "Ball"}),
            "network": plan.network.model_copy(update={"classes": 2}),
            "level_set_mm": (4.0,),
        }
    )
    torch.manual_seed(0)
    network = Network(single.network, LocalContrastive.heads)
    case = make_case(0)
    case = dataclasses.replace(case, labels=case.labels.clamp_max(1), level_set=None)
    generator = torch.Generator()
    patches = PatchSampler([case], single, Augmentation(), False).draw(1, generator, CPU)
    step = Step(network, network, Batch(patches), single, 1.0)
    LocalContrastive().losses(step)["contrast"].backward()
    assert gradient(network, "heads.projection") > 0


def test_a_training_interrupted_before_the_contrast_goes_on_exactly(
    make_case, plan: Plan, tmp_path: Path
) -> None:
    labelled, unlabelled = [make_case(0)], [dataclasses.replace(make_case(1), labels=None)]
    settings = TrainingSettings(method="local_contrastive", steps=8)
    expected = train(labelled, unlabelled, plan, settings, CPU, Monitor())
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Cancelled):
        train(labelled, unlabelled, plan, settings, CPU, Watcher(stop_at=2), checkpoint=checkpoint)
    found = train(labelled, unlabelled, plan, settings, CPU, Monitor(), checkpoint=checkpoint)
    for name, weight in expected.network.state_dict().items():
        assert torch.allclose(found.network.state_dict()[name], weight, atol=1e-6), name
