"""The border of a mask as an SVG path: sharp at every size, and a few hundred bytes instead of a picture."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Point: TypeAlias = tuple[int, int]

# Steps along the border of a pixel, clockwise on the screen, so that the mask is on the right hand.
_RIGHT, _DOWN, _LEFT, _UP = range(4)
_STEPS: tuple[_Point, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))  # (x, y)


def trace(mask: NDArray[np.bool_]) -> str:
    """Return the border of a mask (rows, columns) as closed polygons in an SVG path.

    The polygons run through the middles of the pixel edges between mask and background, which is the
    half-way contour of the mask: diagonal borders become diagonal lines instead of stairs. To keep numbers
    whole and short, the path counts in HALF pixels: pixel (row r, column c) covers x from 2c to 2c + 2 and
    y from 2r to 2r + 2. An empty mask gives an empty path.
    """
    ways = _ways_out(mask)
    path = []
    while ways:
        loop = _walk(ways)
        path.append(_polygon(loop))
    return "".join(path)


def _ways_out(mask: NDArray[np.bool_]) -> dict[_Point, list[int]]:
    """Find all pixel edges between mask and background: from each corner, the directions that leave it."""
    inside = np.pad(mask, 1)
    centre = inside[1:-1, 1:-1]
    # The pixel on the other side of the edge, and the corner (x, y) where the edge starts.
    edges = {
        _RIGHT: (inside[:-2, 1:-1], (0, 0)),
        _DOWN: (inside[1:-1, 2:], (1, 0)),
        _LEFT: (inside[2:, 1:-1], (1, 1)),
        _UP: (inside[1:-1, :-2], (0, 1)),
    }
    ways: dict[_Point, list[int]] = {}
    for direction, (neighbour, (x, y)) in edges.items():
        for row, column in np.argwhere(centre & ~neighbour).tolist():
            ways.setdefault((column + x, row + y), []).append(direction)
    return ways


def _walk(ways: dict[_Point, list[int]]) -> tuple[_Point, list[int]]:
    """Take one closed border out of `ways`; returns its first corner and its directions."""
    start = next(iter(ways))
    at, came, directions = start, ways[start][0], []
    while at in ways:
        choices = ways[at]
        # Where two pixels touch at a corner only, turning right keeps their borders apart.
        right = (came + 1) % 4
        came = right if right in choices else choices[0]
        choices.remove(came)
        if not choices:
            del ways[at]
        directions.append(came)
        at = (at[0] + _STEPS[came][0], at[1] + _STEPS[came][1])
    return start, directions


def _polygon(loop: tuple[_Point, list[int]]) -> str:
    """Write one closed border through the middles of its edges, equal steps joined into one."""
    (x, y), directions = loop
    first = _STEPS[directions[0]]
    steps: list[list[int]] = []  # dx, dy, how often
    for one, following in pairwise(directions):
        dx, dy = (a + b for a, b in zip(_STEPS[one], _STEPS[following], strict=True))
        if steps and steps[-1][:2] == [dx, dy]:
            steps[-1][2] += 1
        else:
            steps.append([dx, dy, 1])
    moves = " ".join(f"{dx * count} {dy * count}" for dx, dy, count in steps)
    return f"M{2 * x + first[0]} {2 * y + first[1]}l{moves}z".replace(" -", "-")
