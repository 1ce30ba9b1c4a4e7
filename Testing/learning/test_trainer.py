"""The training loop learns, stops when asked, and goes on exactly where it was."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
from pathlib import Path
from types import ModuleType

import pytest
import torch
from medssl.errors import Cancelled, DataError
from medssl.events import Monitor
from medssl.learning import loop, sampling, trainer
from medssl.learning.checkpoint import TrainingState, random_generator, save_checkpoint
from medssl.learning.device import knows_bfloat16
from medssl.learning.loop import Learners, Loop, fresh_state, learning_rate_factor, mixed_precision
from medssl.learning.losses import segmentation_loss
from medssl.learning.methods import METHODS
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.settings import TrainingSettings
from medssl.learning.trainer import STAGE, VALIDATIONS, FineTuning, train
from watching import Watcher

CPU = torch.device("cpu")


def dice(network: Network, case) -> list[float]:
    image = torch.nn.functional.pad(case.image[None], (2, 2, 2, 2, 0, 0), mode="replicate")
    with torch.no_grad():
        found = network(image, ("segmentation",))["segmentation"].argmax(dim=1)[0, :, 2:-2, 2:-2]
    truth = case.labels
    return [
        2 * float(((found == i) & (truth == i)).sum()) / float((found == i).sum() + (truth == i).sum())
        for i in (1, 2)
    ]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_learns_from_one_annotated_case(make_case, plan: Plan, method: str) -> None:
    unlabelled = [dataclasses.replace(make_case(i), labels=None, level_set=None) for i in range(1, 4)]
    settings = TrainingSettings(method=method, steps=80, learning_rate=1e-2)
    trained = train([make_case(0)], unlabelled, plan, settings, CPU, Monitor())
    assert trained.steps == 80
    assert min(dice(trained.network, make_case(9))) > 0.75


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_trains_without_unannotated_cases(make_case, plan: Plan, method: str) -> None:
    assert (
        train([make_case(0)], [], plan, TrainingSettings(method=method, steps=2), CPU, Monitor()).steps == 2
    )


@pytest.mark.parametrize("method", ["automatic", "dual_task"])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    make_case, plan: Plan, tmp_path: Path, method: str
) -> None:
    labelled = [make_case(0)]
    unlabelled = [dataclasses.replace(make_case(1), labels=None, level_set=None)]
    settings = TrainingSettings(method=method, steps=12, seed=3)
    whole = Watcher()
    expected = train(labelled, unlabelled, plan, settings, CPU, whole)
    interrupted, checkpoint = Watcher(stop_at=7), tmp_path / "checkpoint.safetensors"
    with pytest.raises(Cancelled):
        train(labelled, unlabelled, plan, settings, CPU, interrupted, checkpoint=checkpoint)
    resumed = Watcher()
    found = train(labelled, unlabelled, plan, settings, CPU, resumed, checkpoint=checkpoint)
    assert set(resumed.values()) == {8, 9, 10, 11, 12}
    both = interrupted.values() | resumed.values()
    assert both == pytest.approx(whole.values(), rel=1e-5)
    for name, weight in expected.network.state_dict().items():
        assert torch.allclose(found.network.state_dict()[name], weight, atol=1e-6), name


def test_the_same_seed_gives_the_same_network_and_another_another(make_case, plan: Plan) -> None:
    def weights(seed: int) -> torch.Tensor:
        trained = train(
            [make_case(0)],
            [],
            plan,
            TrainingSettings(method="supervised", steps=3, seed=seed),
            CPU,
            Monitor(),
        )
        return torch.cat([p.flatten() for p in trained.network.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.allclose(weights(1), weights(2))


def test_another_seed_draws_other_patches_for_the_same_network(make_case, plan: Plan) -> None:
    def first_loss(seed: int) -> float:
        torch.manual_seed(0)
        monitor = Watcher()
        settings = TrainingSettings(method="supervised", steps=1, seed=seed)
        train([make_case(0)], [], plan, settings, CPU, monitor, start=Network(plan.network))
        return monitor.values()[1]

    assert first_loss(1) == first_loss(1)
    assert first_loss(1) != first_loss(2)


def test_a_time_budget_ends_the_training(make_case, plan: Plan) -> None:
    ticks = itertools.count(step=5)  # every step takes five seconds
    settings = TrainingSettings(method="supervised", seconds=30)
    trained = train([make_case(0)], [], plan, settings, CPU, Monitor(), clock=lambda: float(next(ticks)))
    assert (trained.steps, trained.elapsed_s) == (6, 30)


def test_progress_and_losses_are_reported_to_the_end(make_case, plan: Plan) -> None:
    monitor = Watcher()
    train([make_case(0)], [], plan, TrainingSettings(method="dual_task", steps=6), CPU, monitor)
    progress = monitor.reported
    assert {e.stage for e in progress} == {STAGE}
    assert progress[-1].done == progress[-1].total == 6
    assert progress[-1].left_s == 0
    assert set(monitor.values("segmentation")) == set(monitor.values("level_set")) == set(range(1, 7))


class Clock:
    """Every look at it, so every step, takes five seconds."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 5
        return self.now


def test_the_average_is_validated_ten_times(make_case, plan: Plan) -> None:
    seen: list[int] = []
    settings = TrainingSettings(method="supervised", steps=20)
    train(
        [make_case(0)], [], plan, settings, CPU, Monitor(), validate=lambda network, step: seen.append(step)
    )
    assert len(seen) == VALIDATIONS
    assert seen[-1] == 20


@pytest.mark.parametrize("validation_s", [0.0, 10_000.0])
def test_validating_takes_no_training_time_however_long_it_takes(
    make_case, plan: Plan, tmp_path: Path, validation_s: float
) -> None:
    """A step takes five seconds; the budget is of 300."""
    seen, left = [], []
    clock, monitor = Clock(), Watcher()

    def validate(network: Network, step: int) -> None:
        clock.now += validation_s
        seen.append(step)
        left.append(monitor.reported[-1].left_s)

    settings = TrainingSettings(method="supervised", seconds=300)
    done = train([make_case(0)], [], plan, settings, CPU, monitor, validate=validate, clock=clock)
    apart = [after - before for before, after in itertools.pairwise((0, *seen))]
    assert len(seen) == VALIDATIONS
    assert min(apart) >= 2
    assert max(apart) - min(apart) <= 1
    assert done.elapsed_s == pytest.approx(300, abs=20)
    # What a person is told: the training that is left, and the validations that are.
    for index, told in enumerate(left[1:], start=1):
        assert told == pytest.approx((1 - index / 10) * 300 + (10 - index) * validation_s, abs=60)


def test_a_slow_validation_takes_no_training_time_after_a_resumption_either(
    make_case, plan: Plan, tmp_path: Path
) -> None:
    seen: list[int] = []
    clock, monitor = Clock(), Watcher()

    def validate(network: Network, step: int) -> None:
        clock.now += 10_000
        seen.append(step)
        if len(seen) == 4:
            monitor.cancel()

    def go_on(watcher: Watcher) -> trainer.Trained:
        settings = TrainingSettings(method="supervised", seconds=300)
        file = tmp_path / "checkpoint"
        return train(
            [make_case(0)], [], plan, settings, CPU, watcher, checkpoint=file, validate=validate, clock=clock
        )

    with pytest.raises(Cancelled):
        go_on(monitor)
    assert len(seen) == 4
    done = go_on(Watcher())
    assert len(seen) == VALIDATIONS
    assert done.elapsed_s == pytest.approx(300, abs=20)
    assert min(after - before for before, after in itertools.pairwise((0, *seen))) >= 2


def test_the_last_step_is_validated_and_reported_though_time_runs_out_in_a_checkpoint(
    make_case, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, seen, monitor = 0.0, list[int](), Watcher()
    taken_s = iter([49.75, 0.2, 5.0, 0.0])  # by the checkpoints, of 50 seconds; the steps take none

    def save(path: Path, state: TrainingState[Network]) -> None:
        nonlocal now
        save_checkpoint(path, state)
        now += next(taken_s)

    monkeypatch.setattr(loop, "save_checkpoint", save)
    monkeypatch.setattr(loop, "CHECKPOINT_S", -1.0)
    done = train(
        [make_case(0)],
        [],
        plan,
        TrainingSettings(method="supervised", seconds=50),
        CPU,
        monitor,
        checkpoint=tmp_path / "checkpoint",
        validate=lambda network, step: seen.append(step),
        clock=lambda: now,
    )
    assert seen[-1] == monitor.reported[-1].done == done.steps
    assert monitor.reported[-1].left_s == 0


def test_what_predicts_is_the_average_over_the_last_part_of_the_training(make_case, plan: Plan) -> None:
    torch.manual_seed(0)
    learning = Network(plan.network)  # is trained in place
    average = torch.cat([p.detach().flatten() for p in learning.parameters()])
    validated: list[Network] = []

    def follow(network: Network, step: int) -> None:
        nonlocal average
        now = torch.cat([p.detach().flatten() for p in learning.parameters()])
        average = average + (now - average) / (1 + loop.AVERAGED * step)
        validated.append(network)

    settings = TrainingSettings(method="supervised", steps=VALIDATIONS, learning_rate=1e-2)
    done = train([make_case(0)], [], plan, settings, CPU, Monitor(), start=learning, validate=follow)
    found = torch.cat([p.flatten() for p in done.network.parameters()])
    last = torch.cat([p.detach().flatten() for p in learning.parameters()])
    assert len(validated) == VALIDATIONS  # one a step: every weight on the way was seen
    assert {id(each) for each in validated} == {id(done.network)}
    assert torch.allclose(found, average, atol=1e-6)
    assert not torch.allclose(found, last, atol=1e-4)


def test_a_training_may_start_from_a_given_network(make_case, plan: Plan) -> None:
    torch.manual_seed(0)
    start = Network(plan.network)
    before = torch.cat([p.detach().flatten() for p in start.parameters()])
    settings = TrainingSettings(method="supervised", steps=1, learning_rate=1e-6)
    trained = train([make_case(0)], [], plan, settings, CPU, Monitor(), start=start)
    after = torch.cat([p.flatten() for p in trained.network.parameters()])
    assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("module", [trainer, loop, sampling])
def test_the_trainer_never_asks_which_method_it_runs(module: ModuleType) -> None:
    """What it may know of a method is what every method says of itself: heads, patches and losses."""
    tree = ast.parse(inspect.getsource(module))
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    words |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not words & {*METHODS, *(method.__name__ for method in METHODS.values())}


def test_without_an_annotated_case_it_says_so(make_case, plan: Plan) -> None:
    with pytest.raises(DataError, match="annotated"):
        train([], [make_case(0)], plan, TrainingSettings(method="supervised", steps=1), CPU, Monitor())


def test_a_training_that_diverges_says_so(make_case, plan: Plan) -> None:
    broken = make_case(0)
    broken = dataclasses.replace(broken, image=broken.image * float("nan"))
    with pytest.raises(DataError, match="diverged"):
        train([broken], [], plan, TrainingSettings(method="supervised", steps=2), CPU, Monitor())


def test_weights_that_are_no_numbers_never_become_a_model(make_case, plan: Plan) -> None:
    def spoil(network: Network, step: int) -> None:  # where no loss is looked at any more
        with torch.no_grad():
            next(network.parameters()).fill_(float("nan"))

    settings = TrainingSettings(method="supervised", steps=2)
    with pytest.raises(DataError, match="diverged at step 2"):
        train([make_case(0)], [], plan, settings, CPU, Monitor(), validate=spoil)


def test_a_step_down_a_steep_loss_moves_weights_no_further_than_one_of_gradient_1() -> None:
    network = torch.nn.Linear(10, 10)
    settings = TrainingSettings(steps=1)
    state = fresh_state(network, [Learners(network.parameters())], settings, random_generator(0))
    group = {"params": list(network.parameters()), "initial_lr": 1.0, "begin": 0.0}
    state.optimiser = torch.optim.SGD([group], lr=1.0)  # AdamW's first step is as long for any gradient
    before = torch.cat([p.detach().flatten() for p in network.parameters()])
    steps = Loop(state, settings, Monitor(), stage=STAGE)
    for _ in steps:
        steps.step({"steep": 1e6 * (network(torch.ones(1, 10)) ** 2).sum()})
    after = torch.cat([p.detach().flatten() for p in network.parameters()])
    rate = state.optimiser.param_groups[0]["lr"]
    assert float((after - before).norm()) == pytest.approx(rate, rel=1e-3)


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    factors = [learning_rate_factor(i / 100) for i in range(101)]
    assert factors[0] < 0.1
    assert max(factors) > 0.95
    assert factors[-1] == 0
    assert factors[3:] == sorted(factors[3:], reverse=True)


def test_what_begins_later_rises_from_there() -> None:
    late = [learning_rate_factor(i / 100, begin=0.1) for i in range(101)]
    assert late[:10] == [0.0] * 10
    assert 0 < late[10] < 0.1
    assert late[13:] == [learning_rate_factor(i / 100) for i in range(13, 101)]


def test_a_spared_encoder_rests_first_and_then_learns_more_slowly(make_case, plan: Plan) -> None:
    def moved(rest: float, rate: float) -> tuple[float, float]:
        torch.manual_seed(0)
        start = Network(plan.network)
        before = {name: weight.clone() for name, weight in start.state_dict().items()}
        settings = TrainingSettings(method="supervised", steps=3)
        sparing = FineTuning(rest=rest, encoder_rate=rate)
        train([make_case(0)], [], plan, settings, CPU, Monitor(), start=start, fine_tuning=sparing)
        change = {name: float((start.state_dict()[name] - before[name]).abs().sum()) for name in before}
        encoder = sum(size for name, size in change.items() if name.startswith("encoder."))
        return encoder, sum(change.values()) - encoder

    resting, others = moved(1.0, 1.0)
    assert resting == 0
    assert others > 0
    assert 0 < moved(0.5, 0.1)[0] < moved(0.5, 1.0)[0]


@pytest.mark.parametrize("knows", [True, False])
def test_processors_that_know_bfloat16_use_it_where_features_are_not_tiny(
    knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "knows_bfloat16", lambda device: knows)
    with mixed_precision(CPU, coarsest_side=4):
        assert torch.is_autocast_enabled("cpu") == knows
    with mixed_precision(CPU, coarsest_side=3):
        assert not torch.is_autocast_enabled("cpu")
    with mixed_precision(CPU):
        assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(("capability", "knows"), [((7, 5), False), ((8, 0), True), ((12, 0), True)])
def test_only_gpus_that_have_bfloat16_in_hardware_compute_in_it(
    capability: tuple[int, int], knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert knows_bfloat16(torch.device("cuda:0")) == knows


def test_the_gradients_of_16_bits_are_those_of_32_nearly(plan: Plan) -> None:
    torch.manual_seed(0)
    network = Network(plan.network).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stubs know 4D only
    image, labels = torch.randn(2, 1, 16, 16, 16), torch.randint(0, 3, (2, 16, 16, 16))

    def gradient(mixed: bool) -> torch.Tensor:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = segmentation_loss(network(image)["segmentation"], labels)
        loss.backward()
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    assert torch.cosine_similarity(gradient(True), gradient(False), dim=0) > 0.98
