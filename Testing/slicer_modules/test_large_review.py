"""A large case in the review: the window must not stand still while it comes and goes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import slicer
import slicer_runtime
from medssl.phantom import SCHEMA
from slicer_runtime.watchdog import Watchdog

SHAPE = (300, 512, 512)


def test_a_case_of_512_x_512_x_300_comes_and_goes_without_holding_up_the_window(
    runtime: slicer_runtime.Runtime, watchdog: Watchdog
) -> None:
    from MedSSLLib.grids import Grid
    from MedSSLLib.heat_map import color_range
    from MedSSLLib.review_scene import Proposal, ReviewScene
    from MedSSLLib.segmentations import LoadedLabels, snapshot_segmentation
    from MedSSLLib.voxel_files import LoadedVolume, new_image

    def volume(dtype: str) -> LoadedVolume:
        image, array = new_image(slicer.vtkOrientedImageData(), (0, 0, 0), SHAPE, np.dtype(dtype))
        array[100:200, 100:300, 100:300] = 1
        return LoadedVolume(image, Grid(SHAPE[::-1], np.eye(4)), 2.0, 1.0, Path("made up"))

    drawn, array = new_image(
        slicer.vtkOrientedImageData(), (120, 120, 110), (80, 160, 160), np.dtype(np.uint8)
    )
    array[:] = 1
    uncertain = volume("float32")
    case = SimpleNamespace(id=1, name="Large")
    labels = LoadedLabels(drawn, uncertain.grid, None)
    proposal = Proposal(case, (volume("int16"),), labels, uncertain, color_range(uncertain))
    with runtime.watching():
        scene = ReviewScene(_project(), proposal, lambda: None, lambda: None)
    for _ in range(20):
        runtime.work()
    with runtime.watching():
        scene.jump_to_slice(150)
    with runtime.watching():
        kept = snapshot_segmentation(scene.segmentation, scene.volume)
    assert kept.layers[0].array.any()
    with runtime.watching():
        scene.remove()


def _project() -> SimpleNamespace:
    """The project as the client describes it."""
    segments = [
        SimpleNamespace(name=each.name, value=each.value, colour=each.colour, terminology=None)
        for each in SCHEMA.segments
    ]
    return SimpleNamespace(key="key", channel_names=("CT",), segments=segments)
