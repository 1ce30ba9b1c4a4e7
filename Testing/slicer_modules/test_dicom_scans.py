"""DICOM series that a folder's job segmented are shown in the scene, though no event tells where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
from dicom_making import write_series
from learning import ActedJob
from medssl.client import Project
from medssl.events import Row
from medssl.imaging.dicom import Series, read_series
from medssl.imaging.dicom_seg_writing import Algorithm, make_segmentation, write_dicom
from medssl.imaging.labels import write_labels
from medssl.imaging.scans import Scan, find_scans
from medssl.inference.ledger import Ledger, Measurements, SegmentationRow
from medssl.inference.source import Source
from medssl.phantom import SCHEMA
from panels import OpenPanel

VOXELS = np.random.default_rng(0).integers(0, 900, (6, 12, 10)).astype(np.int16)
DRAWN = np.zeros(VOXELS.shape, np.uint8)
DRAWN[2:4, 3:9, 2:7] = 1
DRAWN[4, 5:7, 4:6] = 2


def series_among_others(folder: Path) -> Scan:
    """Write two series of one size into a folder; the scan of the second."""
    write_series(folder, VOXELS[::-1].copy(), description="other")
    write_series(folder.with_name("second"), VOXELS)
    for file in folder.with_name("second").iterdir():
        file.rename(folder / f"second-{file.name}")
    return next(
        scan
        for scan in find_scans(folder, names="neutral")
        if scan.series is not None and np.array_equal(read_series(scan.series).array, VOXELS)
    )


def segment(scan: Scan, output: Path, suffix: str) -> str:
    """Write what a job would make of a scan, and its line in the ledger; returns the file's name."""
    assert scan.series is not None
    output.mkdir(parents=True)
    staged, target = output / f"staged{suffix}", output / f"{scan.relative.name}{suffix}"
    write_as(scan.series, staged)
    ledger = Ledger(output)
    path, size, sha256 = ledger.describe(staged, target)
    measured = Measurements(volumes_ml={"Kidney": 1.0}, score=0.1, worst_slice=3, seconds=1.0)
    source = Source(scan.relative, (scan,)).fingerprint()
    ledger.publish(
        staged,
        SegmentationRow(
            path=path,
            bytes=size,
            sha256=sha256,
            scan=scan.name,
            source=source,
            model_id="m",
            measured=measured,
        ),
    )
    return path


def write_as(series: Series, path: Path) -> None:
    if path.name.endswith(".dcm"):
        write_dicom(path, make_segmentation(DRAWN, series, SCHEMA, Algorithm("Made up", "m")))
    else:
        write_labels(path, DRAWN, read_series(series).grid, SCHEMA)


def show_row(panel: OpenPanel, project: Project, scan: Scan, output: Path, path: str) -> None:
    """Double-click the row of a job over the folder of a scan, once the panel lists it."""
    request = {"kind": "predict", "inputs": [str(scan.source)], "output": str(output), "model": "m"}
    job = ActedJob(project, request)
    job.report(Row(name=scan.name, state="done", output=path))
    job.end("cancelled")
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("apply")
    panel.wait_until(lambda: panel.find("rowsTable").rowCount == 1)
    panel.find("rowsTable").cellDoubleClicked.emit(0, 0)


def drawn_in_scene() -> np.ndarray:
    """The segmentation of the scene as labels on the scan of the scene."""
    (volume,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    found = np.zeros(VOXELS.shape, np.uint8)
    for value in (1, 2):
        found[slicer.util.arrayFromSegmentBinaryLabelmap(node, f"Segment_{value}", volume) > 0] = value
    return found


@pytest.mark.parametrize("suffix", [".seg.dcm", ".seg.nrrd"])
def test_a_double_click_shows_a_series_with_its_segmentation_whatever_that_was_written_as(
    panel: OpenPanel, project: Project, tmp_path: Path, suffix: str
) -> None:
    scan = series_among_others(tmp_path / "scans")
    path = segment(scan, tmp_path / "results", suffix)
    temporary = Path(slicer.app.temporaryPath)
    before = sorted(temporary.glob("MedSSL-*"))
    show_row(panel, project, scan, tmp_path / "results", path)
    panel.wait_until(lambda: "is in the scene" in panel.message)
    (volume,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert np.array_equal(slicer.util.arrayFromVolume(volume), VOXELS)
    assert np.array_equal(drawn_in_scene(), DRAWN)
    assert sorted(temporary.glob("MedSSL-*")) == before


def test_a_series_that_was_moved_since_is_said_to_be_gone(
    panel: OpenPanel, project: Project, tmp_path: Path
) -> None:
    scan = series_among_others(tmp_path / "scans")
    path = segment(scan, tmp_path / "results", ".seg.dcm")
    for file in (tmp_path / "scans").glob("second-*"):
        file.unlink()
    show_row(panel, project, scan, tmp_path / "results", path)
    panel.wait_until(lambda: "is not there any more" in panel.message)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
