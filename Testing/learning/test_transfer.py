"""What a training takes over from a model: all that fits, told by name, and never nothing by mistake."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from medssl.errors import ModelError
from medssl.events import Event, Log, Monitor
from medssl.labels import LabelSchema
from medssl.learning.model import Weights
from medssl.learning.network import HeadName, Network
from medssl.learning.plan import Plan
from medssl.learning.transfer import LEAST_SHARE, differences_between, plan_after, transfer
from small_models import small_card
from torch import Tensor


def network(plan: Plan, seed: int, heads: tuple[HeadName, ...] = ("segmentation",)) -> Network:
    torch.manual_seed(seed)
    return Network(plan.network, heads)


def weights(plan: Plan, *, pretrained: bool = True) -> Weights:
    tensors = network(plan, 1).state_dict()
    if pretrained:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith("encoder.")}
    card = small_card("abc", "Start", "pgl", heads=()) if pretrained else small_card("abc", "Start")
    return Weights(tensors, plan, card)


def changed(plan: Plan, **network: object) -> Plan:
    return plan.model_copy(update={"network": plan.network.model_copy(update=network)})


def test_an_encoder_is_copied_bit_by_bit_and_the_rest_stays(plan: Plan) -> None:
    source, fresh, target = weights(plan), network(plan, 2), network(plan, 2)
    result = transfer(source, target, plan)
    for name, tensor in target.state_dict().items():
        expected = source.tensors[name] if name.startswith("encoder.") else fresh.state_dict()[name]
        assert torch.equal(tensor, expected), name
    assert set(result.loaded) == set(source.tensors)
    assert {left.name for left in result.left} == set(target.state_dict()) - set(source.tensors)
    assert {left.reason for left in result.left} == {"the model has none"}
    assert result.encoder_share == 1
    assert not result.segments


def test_of_a_model_of_the_same_segments_everything_is_copied(plan: Plan) -> None:
    source, target = weights(plan, pretrained=False), network(plan, 2, ("segmentation", "level_set"))
    result = transfer(source, target, plan)
    assert all(torch.equal(target.state_dict()[name], tensor) for name, tensor in source.tensors.items())
    assert {left.name.split(".")[1] for left in result.left} == {"level_set"}
    assert result.segments


def test_a_head_that_learned_other_segments_is_not_copied_even_if_it_fits(plan: Plan) -> None:
    other = plan.model_copy(update={"label_schema": LabelSchema.of_names({1: "Liver", 2: "Spleen"})})
    result = transfer(weights(plan, pretrained=False), network(other, 2), other)
    assert {left.name: left.reason for left in result.left} == {
        "heads.segmentation.weight": "the model has learned other segments",
        "heads.segmentation.bias": "the model has learned other segments",
    }
    assert not result.segments


def test_everything_is_told_by_name(plan: Plan) -> None:
    told: list[Event] = []
    transfer(weights(plan), network(plan, 2), plan).report(Monitor(told.append))
    text = "\n".join(event.text for event in told if isinstance(event, Log))
    assert "Start" in text
    assert "encoder 9 of 9, decoder 0 of 10, heads 0 of 2" in text
    assert "parameters: encoder 100 %, decoder 0 %, heads 0 %" in text
    for name in network(plan, 2).state_dict():
        assert name in text


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda plan: changed(plan, features=(8, 24, 24)), "features of the levels are (8, 16, 16)"),
        (lambda plan: changed(plan, convolutions=(2, 2, 2)), "convolutions of the levels are (1, 1, 1)"),
        (lambda plan: changed(plan, kernels=((1, 3, 3),) * 3), "kernels of the levels"),
    ],
)
def test_a_network_of_another_shape_is_refused_with_what_differs(
    plan: Plan, make: Callable[[Plan], Plan], said: str
) -> None:
    other = make(plan)
    target = network(other, 2)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(ModelError) as error:
        transfer(weights(plan), target, other)
    assert said in str(error.value)
    assert error.value.what.startswith("The encoder of the model Start does not fit this training: ")
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


def some_of(plan: Plan, keep: Callable[[str, Tensor], bool], pretrained: bool) -> Weights:
    """A model that lacks what `keep` does not want of the encoder."""
    source = weights(plan, pretrained=pretrained)
    kept = {n: t for n, t in source.tensors.items() if not n.startswith("encoder.") or keep(n, t)}
    return Weights(kept, source.plan, source.card)


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("level", [0, 2])
def test_an_encoder_without_a_convolution_that_a_level_needs_is_refused_however_many_tensors_fit(
    plan: Plan, level: int, pretrained: bool
) -> None:
    deep = changed(plan, convolutions=(1, 8, 1))
    sizes = {n: t.numel() for n, t in network(deep, 1).state_dict().items() if n.startswith("encoder.")}
    missing = max(
        (n for n in sizes if n.startswith(f"encoder.levels.{level}.")), key=lambda name: sizes[name]
    )
    assert 1 - 1 / len(sizes) > LEAST_SHARE
    if level == 0:  # the first convolution is so small that the parameters of the whole do not tell either
        assert 1 - sizes[missing] / sum(sizes.values()) > LEAST_SHARE
    with pytest.raises(ModelError) as error:
        transfer(some_of(deep, lambda name, tensor: name != missing, pretrained), network(deep, 2), deep)
    said = error.value.what
    assert said.startswith(
        "The encoder of the model Start does not fit this training: of one of its levels, only "
    )
    assert f"encoder {len(sizes) - 1} of {len(sizes)}" in said
    assert f"parameters: encoder {100 * (1 - sizes[missing] / sum(sizes.values())):.0f} %" in said


@pytest.mark.parametrize("pretrained", [True, False])
def test_an_encoder_is_taken_over_though_many_of_its_smallest_tensors_are_missing(
    plan: Plan, pretrained: bool
) -> None:
    source = some_of(plan, lambda name, tensor: tensor.ndim > 1, pretrained)
    result = transfer(source, network(plan, 2), plan)
    loaded = sum(name.startswith("encoder.") for name in result.loaded)
    assert loaded / 9 < LEAST_SHARE
    sizes = {n: t.numel() for n, t in network(plan, 2).state_dict().items()}
    finest = {n: size for n, size in sizes.items() if n.startswith("encoder.levels.0.")}
    assert result.encoder_share == sum(finest[n] for n in result.loaded if n in finest) / sum(finest.values())


def test_a_model_without_a_single_fitting_name_is_refused(plan: Plan) -> None:
    source = weights(plan)
    renamed = Weights({f"net.{n}": t for n, t in source.tensors.items()}, source.plan, source.card)
    with pytest.raises(ModelError, match="only 0 % of the parameters"):
        transfer(renamed, network(plan, 2), plan)


def test_another_spacing_is_told_but_no_obstacle(plan: Plan) -> None:
    coarser = plan.model_copy(update={"spacing_mm": (3.0, 1.0, 1.0)})
    result = transfer(weights(plan), network(coarser, 2), coarser)
    assert result.encoder_share == 1
    assert result.differences == (
        "The spacing (z, y, x) is 1 x 1 x 1 mm in the model and 3 x 1 x 1 mm here.",
    )


def two_channels(plan: Plan) -> Plan:
    return changed(
        plan.model_copy(
            update={"channel_names": ("T1", "T2"), "normalisation": plan.normalisation * 2},
        ),
        channels=2,
    )


def test_another_number_of_channels_is_refused_unless_asked_for(plan: Plan) -> None:
    other = two_channels(plan)
    with pytest.raises(ModelError, match=r"takes 1 channel \(image\), this training 2 channels \(T1, T2\)"):
        transfer(weights(plan), network(other, 2), other)


@pytest.mark.parametrize("forth", [True, False])
def test_an_adapted_first_convolution_answers_grey_as_before(plan: Plan, forth: bool) -> None:
    first, second = (plan, two_channels(plan)) if forth else (two_channels(plan), plan)
    source, target = weights(first), network(second, 2)
    result = transfer(source, target, second, adapt_channels=True)
    assert result.encoder_share == 1
    grey = torch.randn((1, 1, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    before = network(first, 1).encoder.levels[0](grey.expand(-1, first.network.channels, -1, -1, -1))
    after = target.encoder.levels[0](grey.expand(-1, second.network.channels, -1, -1, -1))
    assert torch.allclose(before, after, atol=1e-4)


def test_a_plan_after_a_model_sees_as_the_model_and_segments_what_the_data_has(plan: Plan) -> None:
    schema = LabelSchema.of_names({1: "A", 2: "B", 3: "C"})
    own = changed(
        plan.model_copy(
            update={
                "label_schema": schema,
                "level_set_mm": (3.0,) * 3,
                "patch_size": (8, 8, 8),
                "batch_size": 4,
            }
        ),
        classes=4,
        features=(4, 4, 4),
    )
    after = plan_after(plan, own)
    assert (after.label_schema, after.level_set_mm, after.network.classes) == (schema, (3.0,) * 3, 4)
    assert (after.patch_size, after.batch_size, after.network.features) == (plan.patch_size, 2, (8, 16, 16))
    assert differences_between(plan, after) == ()
    assert transfer(weights(plan), network(after, 2), after).encoder_share == 1
