"""Two folders are compared wherever one of them holds a segment, however their files are cropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from medssl.events import Monitor
from medssl.imaging.labels import write_labels
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.jobs import EvaluateRequest, EvaluateResult, run_job
from medssl.labels import LabelSchema
from medssl.project import Project
from numpy.typing import NDArray

SCHEMA = LabelSchema.of_names({1: "Organ"})
SCAN = Grid((34, 32, 30), (1.0, 1.1, 1.5), (17.0, 21.0, 40.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
PICTURE = "data:image/"


def ball(radius: float) -> NDArray[np.uint8]:
    """A ball in the middle of the scan, its radius in voxels."""
    z, y, x = np.indices(SCAN.shape)
    return ((x - 17) ** 2 + (y - 16) ** 2 + (z - 15) ** 2 < radius**2).astype(np.uint8)


def with_island(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    values[2:4, 2:5, 2:5] = 1
    return values


def cropped(values: NDArray[np.uint8]) -> Volume:
    """Keep the box of what is drawn, as 3D Slicer does when it saves."""
    found = np.argwhere(values)
    first, end = found.min(axis=0), found.max(axis=0) + 1
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, end, strict=True))
    x, y, z = (SCAN.matrix @ [*first[::-1], 1])[:3].tolist()
    part = values[box]
    return Volume(part, replace(SCAN, size=part.shape[::-1], origin_mm=(x, y, z)))


def dice(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


def compare(folder: Path, prediction: Volume, reference: Volume, ending: str = ".seg.nrrd") -> EvaluateResult:
    """Compare one case, with its scan where the folder `scans` holds it."""
    scans = folder / "scans"
    for name, volume in (("predictions", prediction), ("references", reference)):
        write_labels(folder / name / f"a{ending}", volume.array, volume.grid, SCHEMA)
    request = EvaluateRequest(
        output=folder / "out",
        predictions=folder / "predictions",
        references=folder / "references",
        scans=scans if scans.is_dir() else None,
    )
    with Project.create(folder / "project", SCHEMA) as project:
        result = run_job(project, request, Monitor()).result
    assert isinstance(result, EvaluateResult)
    return result


@pytest.mark.parametrize("prediction", [with_island(ball(6)), ball(10)], ids=["island", "too large"])
@pytest.mark.parametrize("both", [False, True], ids=["reference cropped", "both cropped"])
@pytest.mark.parametrize("with_scan", [False, True], ids=["alone", "with the scan"])
def test_what_was_segmented_beyond_a_cropped_reference_is_wrong(
    prediction: NDArray[np.uint8], both: bool, with_scan: bool, tmp_path: Path
) -> None:
    truth = ball(7)
    if with_scan:
        image = np.random.default_rng(0).integers(0, 99, SCAN.shape).astype(np.int16)
        write_volume(tmp_path / "scans" / "a.nii.gz", Volume(image, SCAN))

    compared = compare(tmp_path, cropped(prediction) if both else Volume(prediction, SCAN), cropped(truth))

    assert compared.segments[0].dice == pytest.approx(dice(prediction, truth))
    page = compared.report.read_text(encoding="utf-8")
    assert "left out" not in page
    assert (PICTURE in page) == with_scan


def test_nothing_counts_beyond_a_cropped_reference_that_is_annotated_in_part(tmp_path: Path) -> None:
    reference = cropped(ball(7))
    inside = reference.array[1:].copy()
    reference.array[0] = 255
    compared = compare(tmp_path, Volume(ball(12), SCAN), reference, ".nii.gz")
    assert compared.segments[0].dice == pytest.approx(dice(np.ones_like(inside), inside))


def test_a_reference_between_the_voxels_of_its_scan_is_compared_on_its_own(tmp_path: Path) -> None:
    truth, between = ball(7), replace(SCAN, origin_mm=(17.4, 21.0, 40.0))
    write_volume(tmp_path / "scans" / "a.nii.gz", Volume(truth.astype(np.int16), SCAN))
    compared = compare(tmp_path, Volume(truth, between), Volume(truth, between))
    assert compared.segments[0].dice == 1.0


def test_a_prediction_that_lies_a_voxel_beside_its_reference_is_told_of(tmp_path: Path) -> None:
    beside = replace(SCAN, origin_mm=(16.0, 21.0, 40.0))
    compared = compare(tmp_path, Volume(ball(7), beside), Volume(ball(7), SCAN))
    assert "lies (1, 0, 0) voxels (x, y, z) beside it" in compared.report.read_text(encoding="utf-8")
