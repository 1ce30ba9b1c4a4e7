"""The ten turns of the rotation task are ten, and exact."""

from __future__ import annotations

import itertools

import torch
from medssl.learning.plan import Plan
from medssl.learning.pretext import Scans
from medssl.learning.pretext.rotation import TURNS, Rotation, cube_side, turn

CUBE = torch.arange(27.0).view(1, 3, 3, 3)


def test_the_ten_turns_differ_and_the_first_changes_nothing() -> None:
    assert len(TURNS) == 10
    assert torch.equal(turn(CUBE, 0), CUBE)
    turned = [turn(CUBE, which) for which in range(10)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(turned, 2))


def test_turns_are_inverse_to_each_other_and_compose() -> None:
    for first, second in ((1, 3), (4, 6), (7, 9), (2, 2), (5, 5), (8, 8)):
        assert torch.equal(turn(turn(CUBE, first), second), CUBE)
    for quarter, half in ((1, 2), (4, 5), (7, 8)):
        assert torch.equal(turn(turn(CUBE, quarter), quarter), turn(CUBE, half))


def test_all_turns_are_drawn_alike(scans: Scans, plan: Plan) -> None:
    task, generator = Rotation(plan), torch.Generator().manual_seed(0)
    drawn = torch.cat([task.draw(scans, generator, torch.device("cpu")).turns for _ in range(75)])
    counts = torch.bincount(drawn, minlength=10)
    assert len(counts) == 10
    # 600 draws, 60 of each expected; four standard deviations of a binomial are 29.
    assert bool(((counts - 60).abs() < 30).all())


def test_cubes_of_a_scan_with_thick_slices_have_equal_sides_in_millimetres(make_scan, plan: Plan) -> None:
    thick = plan.model_copy(update={"spacing_mm": (4.0, 1.0, 1.0)})
    side = cube_side(thick)
    seen = []

    class Watched(Scans):
        def cut(self, index, corner, sides, size):
            seen.append((sides * torch.tensor(thick.spacing_mm), size))
            return super().cut(index, corner, sides, size)

    Rotation(thick).draw(
        Watched([make_scan(0, (8, 40, 40))]), torch.Generator().manual_seed(0), torch.device("cpu")
    )
    for sides_mm, size in seen:
        assert torch.allclose(sides_mm, sides_mm[0])
        assert float(sides_mm[0]) <= 32
        assert size == (side, side, side)
