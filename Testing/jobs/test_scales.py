"""A report compares its scans with what the model proposed in the project, or with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from medssl.imaging.writing import write_volume
from medssl.jobs.reporting import names_of, scale_for
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from medssl.reports.model import ReportRow

_SCORES = (0.04, 0.05, 0.05, 0.06, 0.06, 0.07, 0.08, 0.08)


def test_the_proposals_of_the_same_model_are_the_measure(tmp_path: Path) -> None:
    phantom = make_phantom(0, size=(6, 8, 7))
    write_volume(tmp_path / "scan.nrrd", phantom.image)
    uncertainty = np.zeros(phantom.labels.array.shape, dtype=np.float32)
    rows = [ReportRow(str(number), uncertainty=0.5) for number in range(9)]
    with Project.create(tmp_path / "project", SCHEMA) as project:
        for number, score in enumerate(_SCORES):
            case = project.add_case(f"case {number}", [tmp_path / "scan.nrrd"])
            project.add_pseudo_label(
                case, phantom.labels.array, uncertainty, score=score, model_id="m", worst_slice=0
            )

        own, other, nothing = (
            scale_for(project, "m", rows[:1]),
            scale_for(project, "another", rows),
            scale_for(project, "another", rows[:3]),
        )

    assert own is not None
    assert own.among == "the 8 cases that this model proposed a segmentation for"
    assert own.look_above == pytest.approx(np.quantile(_SCORES, 0.75), abs=5e-4)
    assert own.flag(0.5) == "check"
    assert other is not None
    assert other.among == "the 9 scans of this report"
    assert other.flag(0.5) == "clear"
    assert nothing is None


def test_a_headline_names_folders_without_the_way_to_them() -> None:
    paths = [Path("/data/scans") / name for name in ("a.nii", "b", "c", "d")]
    assert names_of(paths[:2]) == "a.nii, b"
    assert names_of(paths) == "a.nii, b, c and 1 more"
    assert names_of([Path("/")]) == str(Path("/"))
