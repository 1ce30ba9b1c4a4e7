"""Slices to leaf through: the right ones, the right way up, within what a page may hold."""

from __future__ import annotations

import io

import numpy as np
from medssl.imaging.volume import Grid, Volume
from medssl.labels import LabelSchema
from medssl.reports.model import Stack
from medssl.reports.scene import Scene
from medssl.reports.stacks import make_stack, share_of
from medssl.reports.volumes import VolumeSpread
from numpy.typing import NDArray
from PIL import Image

SEGMENTS = LabelSchema.of_names({2: "Liver", 5: "Lesion"}).segments


def scene(size: tuple[int, int, int], spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Scene:
    """A bright corner at the left, the back and the head, a liver in the middle; size and mm are z y x."""
    array = np.zeros(size, np.int16)
    array[-3:, -6:, -6:] = 1000
    values = np.zeros(size, np.uint8)
    z, y, x = (side // 2 for side in size)
    values[z - 2 : z + 2, y - 4 : y + 4, x - 4 : x + 4] = 2
    values[z, y, x] = 5
    return Scene.of(Volume(array, Grid(size[::-1], spacing_mm[::-1])), values)


def tile(stack: Stack, sheet: bytes, index: int) -> NDArray[np.uint8]:
    width, height = stack.tile
    left, top = index % stack.columns * width, index // stack.columns * height
    return np.asarray(
        Image.open(io.BytesIO(sheet)).convert("RGBA").crop((left, top, left + width, top + height))
    )


def test_every_slice_of_a_small_scan_is_there_and_it_begins_at_the_worst() -> None:
    stack = make_stack(scene((12, 20, 20)), SEGMENTS, worst_slice=7)
    assert stack.plane == "Axial"
    assert stack.numbers == tuple(range(1, 13))
    assert stack.numbers[stack.first] == 8


def test_tiles_show_their_slice_as_a_reader_expects_it() -> None:
    stack = make_stack(scene((12, 20, 20)), SEGMENTS)
    first, last = tile(stack, stack.sheet, 0), tile(stack, stack.sheet, 11)
    assert first[..., 0].max() < 40
    assert last[-2, -2, 0] > 180  # the left of the patient is on the right, the back is below
    assert last[1, 1, 0] < 60
    overlay = tile(stack, stack.overlay, 6)
    assert tuple(overlay[7, 7]) == (*SEGMENTS[0].colour, 255)
    assert tuple(overlay[10, 10]) == (*SEGMENTS[1].colour, 255)
    assert overlay[0, 0, 3] == 0


def test_thick_slices_are_shown_as_they_were_taken() -> None:
    stack = make_stack(scene((40, 14, 40), (1.0, 5.0, 1.0)), SEGMENTS, worst_slice=3)
    assert stack.plane == "Coronal"
    assert stack.edges == ("R", "L", "S", "I")


def test_however_large_a_scan_is_its_sheets_are_small() -> None:
    noise = np.random.default_rng(0).normal(size=(90, 300, 300)).astype(np.float32)
    values = np.zeros(noise.shape, np.uint8)
    values[5:85, 20:280, 20:280] = np.random.default_rng(1).integers(0, 2, (80, 260, 260)) * 2
    noisy = Scene.of(Volume(noise, Grid((300, 300, 90), (0.8, 0.8, 0.8))), values)
    stack = make_stack(noisy, SEGMENTS)
    assert len(stack.sheet) + len(stack.overlay) < 60_000  # speckles that no model would make
    assert len(stack.numbers) >= 12
    smooth = make_stack(scene((90, 300, 300)), SEGMENTS)
    assert len(smooth.sheet) + len(smooth.overlay) <= share_of(100)


def test_in_a_large_report_every_scan_takes_less() -> None:
    assert share_of(1) == share_of(100) > share_of(1000)
    ramp = np.arange(40 * 60 * 60, dtype=np.float32).reshape(40, 60, 60) % 977
    busy = Scene.of(Volume(ramp, Grid((60, 60, 40), (1.0, 1.0, 1.0))), np.zeros(ramp.shape, np.uint8))
    large, small = make_stack(busy, SEGMENTS), make_stack(busy, SEGMENTS, None, 4_000)
    assert len(small.sheet) < len(large.sheet)
    assert len(small.numbers) < len(large.numbers)


def test_a_volume_is_unusual_among_enough_others_only() -> None:
    assert VolumeSpread.of([1.0, 1.0, 9.0]) is None
    spread = VolumeSpread.of([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 9.0])
    assert spread is not None
    assert [spread.judge(ml) for ml in (0.1, 1.3, 9.0)] == ["small", None, "large"]
    alike = VolumeSpread.of([2.0] * 9)
    assert alike is not None
    assert alike.judge(2.1) is None
    assert alike.judge(2.3) == "large"
