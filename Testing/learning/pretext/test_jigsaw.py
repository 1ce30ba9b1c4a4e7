"""The orders of the jigsaw differ, stay the same in every run, and can be undone."""

from __future__ import annotations

import torch
from medssl.learning.pretext.jigsaw import make_orders, read_orders, shuffle

LEAST_DISTANCE = 24  # random orders would come as near as 19


def test_the_hundred_orders_differ_in_nearly_all_places() -> None:
    orders = read_orders()
    assert orders.shape == (100, 27)
    assert torch.equal(orders.sort(dim=1).values, torch.arange(27).expand(100, 27))
    distances = (orders[:, None] != orders[None]).sum(dim=2) + 27 * torch.eye(100, dtype=torch.long)
    assert int(distances.min()) >= LEAST_DISTANCE


def test_orders_are_those_of_every_other_run() -> None:
    assert read_orders()[0].tolist()[:5] == [26, 16, 10, 3, 17]
    assert torch.equal(make_orders(count=6), read_orders()[:6])


def test_the_inverse_order_brings_the_pieces_back() -> None:
    pieces = torch.randn((2, 27, 3), generator=torch.Generator().manual_seed(0))
    orders = read_orders()[:4].view(2, 2, 27)
    shuffled = shuffle(pieces, orders)
    assert shuffled.shape == (2, 2, 27, 3)
    for row in range(2):
        for shown in range(2):
            inverse = orders[row, shown].argsort()
            assert torch.equal(shuffled[row, shown][inverse], pieces[row])
