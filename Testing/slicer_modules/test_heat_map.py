"""The heat map over the slices: what it colors, what it leaves alone, and its legend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer_runtime
import vtk
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    """A cube that is certain on the left, uncertain in the middle and most uncertain on the right."""
    from MedSSLLib.voxel_files import read_volume

    values = np.zeros((30, 30, 30), np.float32)
    values[:, :, 10:20] = 0.5
    values[:, :, 20:] = 0.8
    grid = Grid(size=(30, 30, 30), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0))
    write_volume(tmp_path / "uncertainty.nrrd", Volume(values, grid))
    return read_volume(tmp_path / "uncertainty.nrrd")


def test_the_last_color_is_for_nearly_the_highest_uncertainty(loaded: Any) -> None:
    from MedSSLLib.heat_map import color_range
    from MedSSLLib.voxel_files import voxels_of

    voxels_of(loaded.image)[:, :, 22:] = 0
    assert color_range(loaded).highest == pytest.approx(0.8)
    voxels_of(loaded.image)[0, 0, 0] = 1.0  # a wild voxel
    assert color_range(loaded).highest == pytest.approx(0.8)


def test_a_proposal_that_is_sure_everywhere_does_not_look_alarming(loaded: Any) -> None:
    from MedSSLLib.heat_map import color_range
    from MedSSLLib.voxel_files import voxels_of

    voxels_of(loaded.image)[:] *= 0.1
    assert color_range(loaded).highest > 0.25
    voxels_of(loaded.image)[:] = 0
    assert color_range(loaded).highest == 1.0


def test_colors_begin_above_what_most_of_the_scan_has(loaded: Any) -> None:
    from MedSSLLib.heat_map import color_range
    from MedSSLLib.voxel_files import voxels_of

    values = voxels_of(loaded.image)
    values[:] = 0.3  # a model that learned little
    values[:, :, 25:] = 0.8
    found = color_range(loaded)
    assert 0.3 < found.lowest < 0.4
    assert found.highest == pytest.approx(0.8)
    values[:] = 0.97  # or nothing at all
    assert color_range(loaded).lowest < color_range(loaded).highest == 1.0


@pytest.mark.parametrize("everywhere", [0.0, 0.3, 0.9])
def test_uncertain_voxels_are_colored_and_others_are_left_alone(
    runtime: slicer_runtime.Runtime, loaded: Any, everywhere: float
) -> None:
    from MedSSLLib.heat_map import add_heat_map, color_range
    from MedSSLLib.voxel_files import voxels_of

    values = voxels_of(loaded.image)
    values[:] = everywhere + (1 - everywhere) * values
    values[:10] = values[20:] = everywhere  # the uncertain places are a small part of the scan
    scan = slicer.util.addVolumeFromArray(np.full((30, 30, 30), 100, np.int16), name="Scan")
    display = scan.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(200, 100)
    heat = add_heat_map(loaded, color_range(loaded), "Uncertainty")
    ijk_to_ras = vtk.vtkMatrix4x4()
    heat.GetIJKToRASMatrix(ijk_to_ras)
    scan.SetIJKToRASMatrix(ijk_to_ras)
    viewport = slicer.app.layoutManager().viewport()
    viewport.resize(600, 600)
    viewport.show()
    slicer.util.setSliceViewerLayers(background=scan, foreground=heat, foregroundOpacity=1.0, fit=True)
    certain, middle, most = _picture()
    assert max(certain) - min(certain) < 8  # gray
    assert max(middle) - min(middle) > 60
    assert sum(most) > sum(middle)  # lightness grows with the uncertainty


def test_the_legend_says_what_the_colors_mean_and_goes_with_its_map(
    runtime: slicer_runtime.Runtime, loaded: Any
) -> None:
    from MedSSLLib.heat_map import add_heat_map, color_range, remove_heat_map, show_legend

    heat = add_heat_map(loaded, color_range(loaded), "Uncertainty")
    (legend,) = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    assert legend.GetTitleText() == "Uncertainty"
    show_legend(heat, False)
    assert not legend.GetVisibility()
    show_legend(heat, True)
    assert legend.GetVisibility()
    remove_heat_map(heat)
    assert not slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    assert not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")


def _picture() -> list[tuple[int, int, int]]:
    """Colors of the axial view in the middle of the three parts, from the certain one on."""
    widget = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    for _ in range(30):
        slicer.app.processEvents()
    image = widget.grab().toImage()
    width, middle = image.width(), image.height() // 2
    colors = []
    for part in (0.3, 0.5, 0.7):
        color = image.pixelColor(round(width * part), middle)
        colors.append((color.red(), color.green(), color.blue()))
    # The view may show the patient's left on either side.
    return colors if max(colors[0]) - min(colors[0]) < max(colors[2]) - min(colors[2]) else colors[::-1]
