"""The label schema that commands read, show and change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medssl.project import Project
from medssl.templates import find_template

Medssl = Callable[..., tuple[int, str, str]]


def test_the_label_schema_is_extended_and_keeps_its_colours(medssl: Medssl, project_folder: Path) -> None:
    with Project.open(project_folder) as project:
        before = project.schema.segments
    names = ",".join(f"{s.value}={s.name}" for s in before)

    medssl("project", "schema", "-p", project_folder, "--segments", f"{names},9=Stone")

    with Project.open(project_folder) as project:
        assert project.schema.segments[:2] == before
        assert project.schema.names[2] == "Stone"


def test_colour_and_code_follow_a_name_that_gets_another_value_and_a_value_that_gets_another_name(
    medssl: Medssl, tmp_path: Path
) -> None:
    kidney, tumor, cyst = find_template("kidney-tumor").label_schema.segments
    medssl("project", "new", tmp_path / "p", "--template", "kidney-tumor")

    medssl("project", "schema", "-p", tmp_path / "p", "--segments", "1=tumor,2=Kidney,3=Fluid")

    with Project.open(tmp_path / "p") as project:
        assert project.schema.segments == (
            tumor.model_copy(update={"value": 1, "name": "tumor"}),
            kidney.model_copy(update={"value": 2}),
            cyst.model_copy(update={"name": "Fluid"}),
        )


def test_a_schema_that_is_no_text_is_named(medssl: Medssl, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_bytes(b"\x89PNG\xff")
    code, _, err = medssl("project", "new", tmp_path / "new", "--schema", tmp_path / "schema.json")
    assert code == 1
    assert err.startswith(f"{tmp_path / 'schema.json'} is not a label schema: ")
