"""Two scans of a bright box, and what a person does with them in the section Annotate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from medssl.client import Annotation
from MedSSLLib.grids import Grid
from MedSSLLib.voxel_files import write_nrrd
from panels import OpenPanel

GRID = Grid((24, 20, 12), np.diag([-1.5, -1.5, 3.0, 1.0]))
SHAPE = GRID.shape
BRIGHT = np.zeros(SHAPE, bool)
BRIGHT[3:9, 5:15, 6:18] = True


def write_scan(path: Path) -> Path:
    write_nrrd(path, np.where(BRIGHT, 100, 10).astype(np.int16), GRID)
    return path


def open_boxes(panel: OpenPanel, tmp_path: Path) -> OpenPanel:
    """Open the section with a project of two scans, none annotated."""
    panel.ready()
    client = panel.session.client
    project = client.create_project("Boxes", {1: "Box", 2: "Rest"}, folder=tmp_path / "Kästen")
    for name in ("one", "two"):
        client.add_case(project.key, name, [write_scan(tmp_path / f"{name}.nrrd")])
    panel.session.set_project(client.project(project.key))
    panel.widget.panel.open("annotate")
    return panel


def logic(panel: OpenPanel) -> Any:
    return panel.widget.panel.views["annotate"].logic


def open_next(panel: OpenPanel) -> str:
    """Have the suggested case on the screen; returns its name."""
    panel.wait_until(lambda: panel.find("nextCaseButton").enabled)
    panel.click("nextCaseButton")
    panel.wait_until(lambda: logic(panel).desk.case is not None)
    return logic(panel).desk.case.name


def draw(panel: OpenPanel, low: float = 50, high: float = 200) -> None:
    """Draw the bright box, or what else is in a range, with an effect of the editor."""
    editor = panel.session.editor.widget
    editor.setActiveEffectByName("Threshold")
    effect = editor.activeEffect()
    effect.setParameter("MinimumThreshold", low)
    effect.setParameter("MaximumThreshold", high)
    effect.self().onApply()


def versions(panel: OpenPanel, name: str) -> tuple[Annotation, ...]:
    client, key = panel.session.client, panel.session.project.key
    return client.annotations(key, client.case(key, name).id)


def saved(panel: OpenPanel, name: str) -> np.ndarray:
    """The newest label map of a case."""
    return sitk.GetArrayFromImage(sitk.ReadImage(versions(panel, name)[-1].path))


def save(panel: OpenPanel, name: str, version: int) -> None:
    """Save by the button, and wait until the version is there."""
    panel.click("saveAnnotationButton")
    panel.wait_until(lambda: len(versions(panel, name)) == version)
    panel.wait_until(lambda: not logic(panel).desk.busy)
