"""Boxes are drawn in scans, on bodies, and resampled exactly."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from medssl.learning.cases import TrainingCase
from medssl.learning.pretext.scans import BODY_SHARE, Scans, body_map


def half_air() -> Scans:
    image = torch.full((1, 40, 40, 40), -1.0)
    image[:, :, :, 20:] = 2.0
    return Scans([TrainingCase("half air", image, None)])


def test_boxes_that_are_mostly_air_are_avoided() -> None:
    scans, generator = half_air(), torch.Generator().manual_seed(0)
    sides = torch.tensor([12.0, 12.0, 12.0])
    shares = [scans.body_share(0, scans.box(0, sides, generator), sides) for _ in range(40)]
    assert min(shares) >= BODY_SHARE


def test_a_scan_of_air_alone_still_gives_boxes() -> None:
    scans = Scans([TrainingCase("constant", torch.zeros((1, 20, 20, 20)), None)])
    corner = scans.box(0, torch.full((3,), 8.0), torch.Generator().manual_seed(0))
    assert bool(((corner >= 0) & (corner <= 12)).all())


def test_what_any_channel_shows_is_body() -> None:
    image = torch.zeros((2, 8, 8, 8))
    image[1, :4] = 1.0
    assert body_map(image)[0].min() == 1
    assert body_map(image)[1].max() == 0


def test_every_scan_comes_once_before_one_comes_twice(make_scan) -> None:
    scans = Scans([make_scan(i) for i in range(3)])
    generator = torch.Generator().manual_seed(0)
    assert sorted(scans.choose(3, generator)) == [0, 1, 2]
    assert sorted(Counter(scans.choose(7, generator)).values()) == [2, 2, 3]


def test_a_whole_scan_cut_at_its_own_size_is_itself(make_scan) -> None:
    scan = make_scan(0, (10, 12, 8))
    cut = Scans([scan]).cut(0, torch.zeros(3), torch.tensor([10.0, 12.0, 8.0]), (10, 12, 8))
    assert torch.allclose(cut, scan.image, atol=1e-5)


def test_a_box_is_resampled_between_its_edges() -> None:
    ramp = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 16, 16, 16).contiguous()
    corner, sides = torch.tensor([2.0, 2.0, 3.5]), torch.tensor([8.0, 8.0, 6.0])
    cut = Scans([TrainingCase("ramp", ramp, None)]).cut(0, corner, sides, (4, 4, 4))
    # Sample i of 4 lies at 3.5 + 6 (i + 1/2) / 4 from the edge; the ramp's value there is half a voxel less.
    assert cut[0, 0, 0].tolist() == pytest.approx([3.75, 5.25, 6.75, 8.25], abs=1e-4)
