"""What a person does with a case in a section of the panel that shows one."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from panels import OpenPanel


def logic(panel: OpenPanel, section: str) -> Any:
    return panel.widget.panel.views[section].logic


def show(panel: OpenPanel, section: str, name: str) -> Any:
    """Open a case in a section; returns the section's logic."""
    client, key = panel.session.client, panel.session.project.key
    found = logic(panel, section)
    found.open(client.case(key, name).id)
    panel.wait_until(lambda: found.desk.case is not None and found.desk.case.name == name, 60)
    return found


def draw(desk: Any) -> None:
    """Draw a block with the first segment, as an effect of the editor does."""
    scene = desk.scene
    segment = scene.segmentation.GetSegmentation().GetNthSegmentID(0)
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(scene.segmentation, segment, scene.volume)
    drawn = np.zeros(scene.grid.shape, np.uint8) if drawn is None else drawn.copy()
    drawn[12:14, 6:9, 5:9] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, scene.segmentation, segment, scene.volume)
    assert desk.touched
