"""Prior-guided local self-supervision: views, the aligner, the target and the watch against collapse."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from medssl.learning.cases import TrainingCase
from medssl.learning.network import Encoder
from medssl.learning.plan import Plan
from medssl.learning.pretext import Outcome, Scans
from medssl.learning.pretext.pgl import (
    CELLS,
    LEAST_OVERLAP,
    LEVELS,
    PriorGuidedLocal,
    Views,
    aligned,
    draw_boxes,
    local_distance,
    overlap,
    spread,
    target_momentum,
)

CPU = torch.device("cpu")


def view_of(
    image: torch.Tensor, low: list[float], high: list[float], flips: tuple[bool, ...], size: int
) -> Views:
    """Cut a view of an image `(C, D, H, W)` as the task does."""
    corner, end = torch.tensor(low), torch.tensor(high)
    cut = Scans([TrainingCase("scan", image, None)]).cut(0, corner, end - corner, (size, size, size))
    flipped = cut.flip([1 + axis for axis in range(3) if flips[axis]])
    return Views(flipped[None], corner[None], end[None], torch.tensor([flips]))


def encoded(view: Views) -> torch.Tensor:
    """What looks where the encoder looks: every second voxel, from the first one on."""
    return view.images[..., ::2, ::2, ::2]


def smooth(seed: int = 0, channels: int = 4) -> torch.Tensor:
    points = torch.randn((1, channels, 4, 4, 4), generator=torch.Generator().manual_seed(seed))
    return F.interpolate(points, size=(24, 24, 24), mode="trilinear", align_corners=True)[0]


def test_the_same_view_twice_differs_in_nothing() -> None:
    view = view_of(smooth(), [2, 3, 4], [18, 19, 20], (False, True, False), 16)
    assert local_distance(encoded(view), encoded(view), view, view) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("flips", list(itertools.product((False, True), repeat=3)))
def test_the_same_box_flipped_in_any_way_differs_in_nothing(flips: tuple[bool, bool, bool]) -> None:
    plain = view_of(smooth(), [2, 3, 4], [18, 19, 20], (False, False, False), 16)
    flipped = view_of(smooth(), [2, 3, 4], [18, 19, 20], flips, 16)
    assert local_distance(encoded(plain), encoded(flipped), plain, flipped) < 0.01  # of interpolation


@pytest.mark.parametrize("flips", list(itertools.product((False, True), repeat=3)))
def test_features_that_flip_with_the_image_agree_exactly(flips: tuple[bool, bool, bool]) -> None:
    plain = view_of(smooth(), [2, 3, 4], [18, 19, 20], (False, False, False), 16)
    flipped = view_of(smooth(), [2, 3, 4], [18, 19, 20], flips, 16)
    assert local_distance(plain.images, flipped.images, plain, flipped) < 1e-5


@pytest.mark.parametrize("level", [1, 2])
def test_a_cell_of_the_encoder_looks_at_the_voxel_that_the_aligner_takes_it_for(
    plan: Plan, level: int
) -> None:
    torch.manual_seed(0)
    encoder, side = Encoder(plan.network), 32
    image = torch.randn((1, plan.network.channels, side, side, side), requires_grad=True)
    view = Views(image, torch.zeros((1, 3)), torch.full((1, 3), float(side)), torch.zeros((1, 3)).bool())
    features = encoder(image)[level]
    low = torch.full((1, 3), 9.0)  # the middle of the first sampled place is that of voxel 9
    place = aligned(features, view, low, low + CELLS)[0, :, 0, 0, 0]

    reach = sum(torch.autograd.grad(value, image, retain_graph=True)[0][0, 0].abs() for value in place)

    near = torch.where(
        reach > 0.02 * reach.max(), reach, 0
    )  # the normalisation sees all of the view, a little
    for axis in range(3):
        along = near.sum(dim=[other for other in range(3) if other != axis])
        assert float((along * torch.arange(side)).sum() / along.sum()) == pytest.approx(9, abs=0.4)


def test_a_flip_that_is_not_undone_would_be_noticed() -> None:
    plain = view_of(smooth(), [2, 3, 4], [18, 19, 20], (False, False, False), 16)
    flipped = view_of(smooth(), [2, 3, 4], [18, 19, 20], (True, False, True), 16)
    forgotten = replace(flipped, flipped=torch.zeros((1, 3), dtype=torch.bool))
    assert local_distance(encoded(plain), encoded(flipped), plain, forgotten) > 0.3


def test_different_boxes_of_a_smooth_scan_nearly_agree_where_they_overlap() -> None:
    one = view_of(smooth(), [0, 0, 0], [16, 16, 16], (False, False, False), 16)
    other = view_of(smooth(), [4, 6, 3], [24, 24, 22], (True, True, False), 16)
    assert local_distance(encoded(one), encoded(other), one, other) < 0.03


def test_samples_of_a_ramp_are_the_ramp_where_they_were_taken() -> None:
    ramps = torch.stack(torch.meshgrid(*(torch.arange(24.0) + 0.5,) * 3, indexing="ij"))
    view = view_of(ramps, [2, 3, 4], [18, 19, 20], (True, False, True), 16)
    low, high = torch.tensor([[5.0, 6.0, 7.0]]), torch.tensor([[14.0, 15.0, 13.0]])
    found = aligned(view.images, view, low, high)[0]
    places = (torch.arange(CELLS) + 0.5) / CELLS
    expected = torch.meshgrid(
        *(low[0, axis] + places * (high - low)[0, axis] for axis in range(3)), indexing="ij"
    )
    assert torch.allclose(found, torch.stack(expected), atol=1e-4)


def test_the_distance_is_symmetric_bounded_and_blind_to_length() -> None:
    one = view_of(smooth(), [0, 0, 0], [16, 16, 16], (False, True, False), 16)
    other = view_of(smooth(), [4, 6, 3], [20, 22, 19], (True, True, False), 16)
    mine, theirs = torch.randn((2, 1, 8, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    distance = local_distance(mine, theirs, one, other)
    assert distance == pytest.approx(float(local_distance(theirs, mine, other, one)), abs=1e-6)
    assert 0 < distance < 4
    assert local_distance(7 * mine, theirs / 3, one, other) == pytest.approx(float(distance), abs=1e-5)
    assert local_distance(mine, -mine, one, one) == pytest.approx(4, abs=1e-5)


def test_the_loss_does_not_ask_which_view_came_first(scans: Scans, plan: Plan) -> None:
    task = PriorGuidedLocal(plan)
    first, second = task.draw(scans, torch.Generator().manual_seed(0), CPU)
    there, back = task.learn((first, second)), task.learn((second, first))
    assert float(there.losses["pgl"].detach()) == pytest.approx(float(back.losses["pgl"].detach()), abs=1e-5)


def test_each_view_predicts_what_the_target_sees_in_the_other(scans: Scans, plan: Plan, monkeypatch) -> None:
    task = PriorGuidedLocal(plan)
    first, second = task.draw(scans, torch.Generator().manual_seed(0), CPU)
    compared = []

    def watch(mine: torch.Tensor, theirs: torch.Tensor, view: Views, other: Views) -> torch.Tensor:
        compared.append((theirs, view, other))
        return local_distance(mine, theirs, view, other)

    monkeypatch.setattr("medssl.learning.pretext.pgl.local_distance", watch)
    task.learn((first, second))
    with torch.no_grad():
        seen = {
            id(view): [
                project(level)
                for level, project in zip(
                    task.target_encoder(view.images)[-LEVELS:], task.target_projectors, strict=True
                )
            ]
            for view in (first, second)
        }
    assert [(view is first, other is second) for _, view, other in compared] == [
        (True, True),
        (False, False),
    ] * 2
    for index, (theirs, _, other) in enumerate(compared):
        assert torch.allclose(theirs, seen[id(other)][index // 2], atol=1e-4)


def test_views_that_do_not_overlap_are_refused() -> None:
    one = view_of(smooth(), [0, 0, 0], [10, 10, 10], (False, False, False), 8)
    other = view_of(smooth(), [12, 0, 0], [22, 10, 10], (False, False, False), 8)
    with pytest.raises(ValueError, match="overlap"):
        local_distance(encoded(one), encoded(other), one, other)


@pytest.mark.parametrize("sides", [(40, 44, 48), (12, 40, 10), (3, 8, 60)])
def test_boxes_lie_in_the_scan_and_overlap_enough(make_scan, plan: Plan, sides: tuple[int, int, int]) -> None:
    scans, generator = Scans([make_scan(0, sides)]), torch.Generator().manual_seed(0)
    for _ in range(50):
        boxes = draw_boxes(scans, 0, plan, generator)
        assert overlap(*boxes) >= LEAST_OVERLAP
        for box in boxes:
            assert bool((box.low >= -1e-3).all())
            assert bool((box.high <= torch.tensor(sides) + 1e-3).all())


def test_the_target_starts_as_a_copy_and_follows_as_its_average(scans: Scans, plan: Plan) -> None:
    task = PriorGuidedLocal(plan)
    pairs = ((task.encoder, task.target_encoder), (task.projectors, task.target_projectors))
    for online, target in pairs:
        for mine, theirs in zip(online.parameters(), target.parameters(), strict=True):
            assert torch.equal(mine, theirs)
            assert not theirs.requires_grad
    before = copy.deepcopy(task)
    with torch.no_grad():
        for parameter in (*task.encoder.parameters(), *task.projectors.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    task.after_step(0.0)
    for (online, target), old in zip(pairs, (before.target_encoder, before.target_projectors), strict=True):
        for mine, theirs, was in zip(online.parameters(), target.parameters(), old.parameters(), strict=True):
            assert torch.allclose(theirs, 0.99 * was + 0.01 * mine, atol=1e-6)


def test_counts_of_a_layer_are_copied_and_not_averaged(plan: Plan) -> None:
    task = PriorGuidedLocal(plan)
    for encoder in (task.encoder, task.target_encoder):
        encoder.register_buffer("seen", torch.zeros(1))
    task.encoder.get_buffer("seen").fill_(5)
    task.after_step(0.0)
    assert float(task.target_encoder.get_buffer("seen")) == 5


def test_the_target_stands_still_at_the_end() -> None:
    momenta = [target_momentum(i / 10) for i in range(11)]
    assert momenta[0] == pytest.approx(0.99)
    assert momenta == sorted(momenta)
    assert momenta[-1] == 1


def test_gradients_reach_the_encoder_through_the_online_branch_alone(scans: Scans, plan: Plan) -> None:
    task = PriorGuidedLocal(plan)
    task.learn(task.draw(scans, torch.Generator().manual_seed(0), CPU)).losses["pgl"].backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in task.encoder.parameters())
    for target in (task.target_encoder, task.target_projectors):
        assert all(p.grad is None for p in target.parameters())


def test_collapse_is_noticed_and_healthy_features_are_not(plan: Plan) -> None:
    generator = torch.Generator().manual_seed(0)
    healthy = spread(torch.randn((2, 64, 5, 5, 5), generator=generator))
    constant = torch.randn((1, 64, 1, 1, 1), generator=generator).expand(2, 64, 5, 5, 5)
    assert healthy == pytest.approx(1, abs=0.05)
    assert spread(constant) == pytest.approx(0, abs=1e-5)
    task = PriorGuidedLocal(plan)
    assert task.trouble(Outcome({}, {"spread": healthy})) is None
    assert "collapsed" in (task.trouble(Outcome({}, {"spread": spread(constant)})) or "")
