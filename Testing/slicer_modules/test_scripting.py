"""Python scripts in Slicer use the module's logic without its panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from medssl.client import Client
from MedSSLLib.problems import Problem


def test_a_script_adds_a_scan_draws_on_it_and_saves_it(runtime: Any, engine: Client, tmp_path: Path) -> None:
    runtime.load_module(Path(__file__).parents[2] / "MedSSLSegment" / "MedSSLSegment.py")
    import MedSSLSegment

    logic = MedSSLSegment.MedSSLSegmentLogic()
    client = logic.startEngine()
    project = client.create_project("Script", {1: "Box"}, folder=tmp_path / "project")
    values = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    case = logic.addCase(client, project, slicer.util.addVolumeFromArray(values, name="Scan"))
    volume, segmentation = logic.loadCase(client, project, case)
    assert np.array_equal(slicer.util.arrayFromVolume(volume), values)
    drawn = (values > 60).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, segmentation, "Segment_1", volume)
    annotation = logic.saveAnnotation(client, project, case, segmentation, volume)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(annotation.path)), drawn)
    segmentation.GetSegmentation().AddEmptySegment("x", "Other")
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, segmentation, "x", volume)
    with pytest.raises(Problem, match="no segment 'Other'"):
        logic.saveAnnotation(client, project, case, segmentation, volume)
