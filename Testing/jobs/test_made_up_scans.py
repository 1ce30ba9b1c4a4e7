"""Made-up scans come into a project as cases, so that everything can be tried without any data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from medssl.cli.app import run
from medssl.errors import DataError
from medssl.events import Monitor
from medssl.imaging.labels import read_labels
from medssl.jobs import ImportResult, SampleRequest, run_job
from medssl.labels import LabelSchema
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from medssl.templates import find_template


def test_the_template_has_the_segments_of_made_up_scans() -> None:
    assert find_template("made-up-kidney").label_schema == SCHEMA


def test_scans_come_with_the_annotations_and_roles_that_were_asked_for(tmp_path: Path) -> None:
    request = SampleRequest(cases=3, annotated=1, validation=1)
    with Project.create(tmp_path / "project", SCHEMA) as project:
        run_job(project, request, Monitor())
        cases = [(case.name, case.state, case.role) for case in project.cases()]
        assert cases == [
            ("made-up 001", "annotated", "training"),
            ("made-up 002", "new", "training"),
            ("made-up 003", "annotated", "validation"),
        ]
        annotation = project.case("made-up 001").annotation
        assert annotation is not None
        assert np.array_equal(read_labels(annotation.path).volume.array, make_phantom(0).labels.array)
        again = run_job(project, request, Monitor()).result
        assert again == ImportResult(cases=0, annotated=0, already_there=3)


def test_a_project_with_other_segments_is_refused(tmp_path: Path) -> None:
    with (
        Project.create(tmp_path / "project", LabelSchema.of_names({1: "Liver"})) as project,
        pytest.raises(DataError, match="Kidney"),
    ):
        run_job(project, SampleRequest(cases=1, annotated=0, validation=0), Monitor())


def test_the_command_line_makes_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "project")
    assert run(["project", "new", folder, "--template", "made-up-kidney"]) == 0
    assert run(["case", "sample", "--cases", "1", "--annotated", "1", "--validation", "0", "-p", folder]) == 0
    with Project.open(tmp_path / "project") as project:
        assert project.count_cases(state="annotated") == 1
    assert run(["case", "sample", "--cases", "1", "--annotated", "2", "-p", folder]) == 2
    assert "more than 1 scan." in capsys.readouterr().err
